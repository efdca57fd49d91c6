/* scale.h - the checked builds are some 10 and 100 times slower: what is large elsewhere is so much
 * smaller there. */
#ifndef CAIRN_TESTS_SCALE_H
#define CAIRN_TESTS_SCALE_H

#if defined(CAIRN_GC_STRESS)
#define SCALE 100
#elif defined(__SANITIZE_ADDRESS__) || defined(CAIRN_DEBUG)
#define SCALE 10
#else
#define SCALE 1
#endif
#define MILLION (1000000 / SCALE)

#endif
