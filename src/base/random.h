/* random.h - a small random number generator (xoshiro256**, seeded by splitmix64:
 * Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018).
 * Same seed, same numbers, on every machine.  Threads: the owner's only. */
#ifndef COPI_RANDOM_H
#define COPI_RANDOM_H

#include <stdint.h>

struct random { uint64_t s[4]; };

void copi_random_seed(struct random *random, uint64_t seed);
uint64_t copi_random_next(struct random *random);
/* Below n, without bias; n > 0. */
uint64_t copi_random_below(struct random *random, uint64_t n);
/* In [0, 1), 53 bits. */
double copi_random_unit(struct random *random);

#endif
