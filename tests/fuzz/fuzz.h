/* fuzz.h - what a fuzz target defines. libFuzzer calls it with inputs that it makes up
 * (configure --enable-fuzz, with clang); replay.c with the files of a corpus. */
#ifndef CAIRN_TESTS_FUZZ_H
#define CAIRN_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Aborts when something is wrong; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
