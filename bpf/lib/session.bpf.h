/*
 * Kernel functions of uprobe sessions (6.13) in disguise: calls of helpers that no kernel has, where user space puts in
 * the real ones before loading. probe/kfunc.h tells why. Included with <>, so that tests/bpfhost can have its own.
 */
#pragma once

static bool (*bpf_session_is_return)(void *ctx) = (void *)HP_MARKER_SESSION_IS_RETURN;
static __u64 *(*bpf_session_cookie)(void *ctx) = (void *)HP_MARKER_SESSION_COOKIE;
