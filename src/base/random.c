/* random.c - xoshiro256** 1.0, seeded by splitmix64. */
#include "random.h"

#include "assert.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t rotate_left(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

/* A bijection of a counter: four numbers in a row are never all zero, which is the one state
 * that the generator could not leave. */
static uint64_t splitmix(uint64_t *counter)
{
    uint64_t z = *counter += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void copi_random_seed(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->s[i] = splitmix(&seed);
}

uint64_t copi_random_next(struct random *random)
{
    uint64_t *s = random->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* The high half of a product with n is below n; the first few low halves would make some
 * results likelier than others and are drawn again (Lemire, "Fast random integer generation in
 * an interval", 2019). */
uint64_t copi_random_below(struct random *random, uint64_t n)
{
    COP_ASSERT(n > 0);
    wide product = (wide)copi_random_next(random) * n;
    if ((uint64_t)product < n) {
        uint64_t surplus = (UINT64_MAX - n + 1) % n;     /* 2^64 mod n */
        while ((uint64_t)product < surplus)
            product = (wide)copi_random_next(random) * n;
    }
    return (uint64_t)(product >> 64);
}

double copi_random_unit(struct random *random)
{
    return (double)(copi_random_next(random) >> 11) * 0x1.0p-53;
}
