# hp_bpf_object(NAME): compiles bpf/NAME.bpf.c and generates its skeleton.
#
# Gives an INTERFACE target hp_bpf_NAME whose users may include "NAME.skel.h". The object is compiled
# from our own minimal vmlinux.h with CO-RE relocations, so the build needs no BTF of the build host.
find_program(HP_CLANG NAMES clang clang-14 REQUIRED)
find_program(HP_BPFTOOL bpftool PATHS /usr/sbin /sbin REQUIRED)

function(hp_bpf_object name)
	set(src ${CMAKE_CURRENT_SOURCE_DIR}/${name}.bpf.c)
	set(obj ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
	set(skel ${CMAKE_CURRENT_BINARY_DIR}/${name}.skel.h)
	add_custom_command(OUTPUT ${obj}
		COMMAND ${HP_CLANG} -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror
			-Wno-unused-parameter -Wno-missing-declarations -D__TARGET_ARCH_x86
			-I${CMAKE_SOURCE_DIR}/include -I${CMAKE_CURRENT_SOURCE_DIR}
			-MD -MF ${obj}.d -MT ${obj} -c ${src} -o ${obj}
		COMMAND llvm-strip -g ${obj}
		DEPENDS ${src} DEPFILE ${obj}.d VERBATIM)
	add_custom_command(OUTPUT ${skel}
		COMMAND sh -c "${HP_BPFTOOL} gen skeleton '${obj}' name hp_${name}_bpf > '${skel}'"
		DEPENDS ${obj} VERBATIM)
	add_custom_target(hp_bpf_${name}_gen DEPENDS ${skel})
	add_library(hp_bpf_${name} INTERFACE)
	add_dependencies(hp_bpf_${name} hp_bpf_${name}_gen)
	target_include_directories(hp_bpf_${name} INTERFACE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()
