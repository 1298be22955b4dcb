/* Stands in for the kernel functions of sessions; tests/bpfhost/host.h has them. */
#pragma once

bool bpf_session_is_return(void *ctx);
__u64 *bpf_session_cookie(void *ctx);
