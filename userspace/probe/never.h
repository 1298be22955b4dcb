#pragma once

/*
 * Why the function of this plain name must not be probed (static text), NULL if it may: start-up code, functions that
 * store their return address, switch stacks or have their own calling convention.
 */
const char *hp_never_reason(const char *name);
