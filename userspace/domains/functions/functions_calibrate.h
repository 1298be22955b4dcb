#pragma once

#include "probe/price.h"

struct hp_functions_object;

/*
 * Measures what a hit of the loaded programs costs on this machine, on functions of our own in a child process:
 * about 30 ms. Blocks; probe thread only, before anything is attached. 0, or negative errno and *@ret_prices as
 * they were.
 */
int hp_functions_calibrate(const struct hp_functions_object *object, struct hp_prices *ret_prices);
