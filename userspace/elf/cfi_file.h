#pragma once

struct hp_cfi;

/*
 * Finds the call frame information of the open file @fd and compiles it: .eh_frame, by its program header where there are
 * no section headers; else .debug_frame; and Go's own tables beside either. With libelf, so in the sandbox child only.
 * 0, or the codes of hp_cfi_load() without -ETIMEDOUT.
 */
int hp_cfi_file_read(int fd, struct hp_cfi *ret_cfi);
