/* slab.c - the depot, the caches and the magazines between them.
 *
 * A free block's first word links it to the next one.  A magazine is such a list of at most
 * COPI_SLAB_MAGAZINE blocks; on a shelf of the depot its first block also has the magazine's
 * size and the next magazine.  New blocks are cut from regions of malloc's, a few pages' worth at
 * a time, so that a class in little use touches little memory.
 *
 * A cache has for each class a list that it takes from and gives to, and at most one full
 * magazine to spare.  With the spare one a thread that goes back and forth over the edge of a
 * magazine does not go to the depot each time.
 *
 * Memory order: a block goes from one thread to another through its shelf, and the shelf's lock
 * orders everything the giver did to it before everything the taker does. */
#include "slab.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "assert.h"
#include "poison.h"

enum {
    LINE = 64,                          /* a cache line */
    REGION_FIRST = COPI_LIMIT(64 * 1024, 4096),   /* bytes; each is twice the one before, up to */
    REGION_MAX = COPI_LIMIT(1024 * 1024, 4096),
    REGION_HUGE = 8 * 1024 * 1024,      /* instead, when there is much: HUGE_FROM bytes */
    HUGE_FROM = COPI_LIMIT(16 * 1024 * 1024, INT32_MAX),
    HUGE_PAGE = 2 * 1024 * 1024,
    CUT_BYTES = 8 * 1024,               /* cut at a time, but no less than */
    CUT_LEAST = 8                       /* blocks */
};

struct region {
    struct region *next;
};

/* The full magazines of one class, and others that are not full. */
struct shelf {
    _Alignas(LINE) pthread_mutex_t lock;
    struct free_block *magazines;
};

static struct depot {
    pthread_mutex_t lock;               /* for what follows, up to the shelves */
    struct region *regions;
    char *cursor;                       /* what is not yet cut of the newest region */
    size_t left;
    size_t region_size;                 /* of the newest region */
    size_t bytes;                       /* of all regions */
    copi_slab_advise *advise;           /* or NULL */
    size_t caches;
    size_t made[COPI_SLAB_CLASSES];     /* blocks cut, by class */
    struct shelf shelves[COPI_SLAB_CLASSES];
    _Atomic bool open;                  /* between init and deinit; blocks are malloc's otherwise */
} depot;

static const uint16_t class_size[COPI_SLAB_CLASSES] = {
    32, 48, 64, 96, 128, 192, 256, 384, 512, 1024
};

/* ---- the depot ------------------------------------------------------------------------- */

void copi_slab_init(void)
{
    memset(&depot, 0, sizeof depot);
    pthread_mutex_init(&depot.lock, NULL);
    for (int i = 0; i < COPI_SLAB_CLASSES; i++)
        pthread_mutex_init(&depot.shelves[i].lock, NULL);
    atomic_store(&depot.open, true);
}

void copi_slab_set_advise(copi_slab_advise *advise)
{
    pthread_mutex_lock(&depot.lock);
    depot.advise = advise;
    pthread_mutex_unlock(&depot.lock);
}

COPI_SEES_POISON size_t copi_slab_in_use(void)
{
    size_t in_use = 0;
    pthread_mutex_lock(&depot.lock);
    for (int i = 0; i < COPI_SLAB_CLASSES; i++)
        in_use += depot.made[i];
    pthread_mutex_unlock(&depot.lock);
    for (int i = 0; i < COPI_SLAB_CLASSES; i++) {
        struct shelf *shelf = &depot.shelves[i];
        pthread_mutex_lock(&shelf->lock);
        for (struct free_block *at = shelf->magazines; at; at = at->next_magazine)
            in_use -= at->size;
        pthread_mutex_unlock(&shelf->lock);
    }
    return in_use;
}

void copi_slab_deinit(void)
{
    COP_ASSERT(depot.caches == 0);
    atomic_store(&depot.open, false);
#if defined(COP_DEBUG_CHECKS) || defined(COPI_POISONING)
    COP_ASSERT(copi_slab_in_use() == 0);
#endif
    while (depot.regions) {
        struct region *next = depot.regions->next;
        free(depot.regions);
        depot.regions = next;
    }
    for (int i = 0; i < COPI_SLAB_CLASSES; i++)
        pthread_mutex_destroy(&depot.shelves[i].lock);
    pthread_mutex_destroy(&depot.lock);
}

static size_t next_region_size(void)
{
    if (depot.bytes >= HUGE_FROM && depot.advise)
        return REGION_HUGE;
    return depot.region_size == 0 ? REGION_FIRST
         : depot.region_size < REGION_MAX ? depot.region_size * 2 : REGION_MAX;
}

/* Under the depot's lock.  What is left of the region before, less than a block, is lost. */
static bool add_region(void)
{
    size_t size = next_region_size();
    bool huge = size == REGION_HUGE;
    struct region *region = aligned_alloc(huge ? HUGE_PAGE : LINE, size);
    if (!region)
        return false;
    if (huge)
        depot.advise(region, size);
    depot.bytes += size;
    region->next = depot.regions;
    depot.regions = region;
    depot.region_size = size;
    depot.cursor = (char *)region + LINE;
    depot.left = size - LINE;
    if (COPI_HOSTILE)
        memset(depot.cursor, COPI_DEAD, depot.left);
    COPI_POISON(depot.cursor, depot.left);
    return true;
}

/* Makes a magazine of new blocks, at most a full one; NULL without memory. */
COPI_SEES_POISON static struct free_block *cut(uint8_t class, size_t *ret_count)
{
    size_t size = class_size[class];
    size_t count = CUT_BYTES / size;
    count = count > COPI_SLAB_MAGAZINE ? COPI_SLAB_MAGAZINE : count < CUT_LEAST ? CUT_LEAST : count;

    pthread_mutex_lock(&depot.lock);
    if (depot.left < size && !add_region()) {
        pthread_mutex_unlock(&depot.lock);
        return NULL;
    }
    if (count > depot.left / size)
        count = depot.left / size;
    char *first = depot.cursor;
    size_t bytes = (count * size + LINE - 1) / LINE * LINE;
    if (bytes > depot.left)
        bytes = depot.left;
    depot.cursor += bytes;
    depot.left -= bytes;
    depot.made[class] += count;
    pthread_mutex_unlock(&depot.lock);

    for (size_t i = 0; i < count; i++) {
        struct free_block *block = (struct free_block *)(void *)(first + i * size);
        block->next = i + 1 < count ? (struct free_block *)(void *)(first + (i + 1) * size) : NULL;
    }
    *ret_count = count;
    return (struct free_block *)(void *)first;
}

COPI_SEES_POISON static void shelve(uint8_t class, struct free_block *magazine, size_t size)
{
    struct shelf *shelf = &depot.shelves[class];
    magazine->size = size;
    pthread_mutex_lock(&shelf->lock);
    magazine->next_magazine = shelf->magazines;
    shelf->magazines = magazine;
    pthread_mutex_unlock(&shelf->lock);
}

/* A magazine from the shelf, or a new one; NULL without memory. */
COPI_SEES_POISON static struct free_block *fetch(uint8_t class, size_t *ret_size)
{
    struct shelf *shelf = &depot.shelves[class];
    pthread_mutex_lock(&shelf->lock);
    struct free_block *magazine = shelf->magazines;
    if (magazine)
        shelf->magazines = magazine->next_magazine;
    pthread_mutex_unlock(&shelf->lock);
    if (!magazine)
        return cut(class, ret_size);
    *ret_size = magazine->size;
    return magazine;
}

/* For threads without a cache: one block, out of the magazine on top. */
COPI_SEES_POISON static struct free_block *fetch_one(uint8_t class)
{
    size_t size;
    struct free_block *magazine = fetch(class, &size);
    if (magazine && size > 1)
        shelve(class, magazine->next, size - 1);
    return magazine;
}

COPI_SEES_POISON static void shelve_one(uint8_t class, struct free_block *block)
{
    struct shelf *shelf = &depot.shelves[class];
    pthread_mutex_lock(&shelf->lock);
    struct free_block *top = shelf->magazines;
    bool joins = top && top->size < COPI_SLAB_MAGAZINE;
    block->next = joins ? top : NULL;
    block->next_magazine = joins ? top->next_magazine : top;
    block->size = joins ? top->size + 1 : 1;
    shelf->magazines = block;
    pthread_mutex_unlock(&shelf->lock);
}

/* ---- caches ---------------------------------------------------------------------------- */

struct slab_cache *copi_slab_cache_new(void)
{
    /* Rounded up to whole lines: no two threads' caches share one. */
    size_t size = (sizeof(struct slab_cache) + LINE - 1) / LINE * LINE;
    struct slab_cache *cache = aligned_alloc(LINE, size);
    if (!cache)
        return NULL;
    memset(cache, 0, size);
    pthread_mutex_lock(&depot.lock);
    depot.caches++;
    pthread_mutex_unlock(&depot.lock);
    return cache;
}

void copi_slab_cache_free(struct slab_cache *cache)
{
    if (!cache)
        return;
    for (uint8_t class = 0; class < COPI_SLAB_CLASSES; class++) {
        struct slab_bin *bin = &cache->bins[class];
        if (bin->head)
            shelve(class, bin->head, bin->size);
        if (bin->spare)
            shelve(class, bin->spare, COPI_SLAB_MAGAZINE);
    }
    free(cache);
    pthread_mutex_lock(&depot.lock);
    COP_ASSERT(depot.caches > 0);
    depot.caches--;
    pthread_mutex_unlock(&depot.lock);
}

/* The bin has run dry.  False without memory. */
static bool refill(struct slab_bin *bin, uint8_t class)
{
    if (bin->spare) {
        bin->head = bin->spare;
        bin->size = COPI_SLAB_MAGAZINE;
        bin->spare = NULL;
        return true;
    }
    struct free_block *magazine = fetch(class, &bin->size);
    bin->head = magazine;
    return magazine != NULL;
}

/* The bin has a full magazine: it becomes the spare one, and the spare one is shelved. */
static void turn_over(struct slab_bin *bin, uint8_t class)
{
    if (bin->spare)
        shelve(class, bin->spare, COPI_SLAB_MAGAZINE);
    bin->spare = bin->head;
    bin->head = NULL;
    bin->size = 0;
}

COPI_SEES_POISON static inline struct free_block *pop(struct slab_bin *bin)
{
    struct free_block *block = bin->head;
    bin->head = block->next;
    bin->size--;
    return block;
}

COPI_SEES_POISON static inline void push(struct slab_bin *bin, struct free_block *block)
{
    block->next = bin->head;
    bin->head = block;
    bin->size++;
}

/* ---- blocks, the unusual cases -------------------------------------------------------------- */

size_t copi_slab_class_size(uint8_t class)
{
    return class < COPI_SLAB_CLASSES ? class_size[class] : 0;
}

/* No cache, an empty one, a size above all classes, or no depot. */
void *copi_slab_take_slowly(struct slab_cache *cache, size_t size, uint8_t *ret_class)
{
    /* Acquires what copi_slab_init did before its store: the locks. */
    bool open = cache || atomic_load_explicit(&depot.open, memory_order_acquire);
    if (size > COPI_SLAB_MAX || !open) {
        void *large = malloc(size);
        if (large)
            *ret_class = COPI_SLAB_LARGE;
        return large;
    }
    uint8_t class = copi_slab_class_of[(size + 15) / 16];
    struct free_block *block;
    if (!cache)
        block = fetch_one(class);
    else
        block = refill(&cache->bins[class], class) ? pop(&cache->bins[class]) : NULL;
    if (!block)
        return NULL;
    COPI_UNPOISON(block, size > 0 ? size : 1);
    *ret_class = class;
    return block;
}

/* No cache, a full one, or a block of malloc's. */
static void give_elsewhere(struct slab_cache *cache, struct free_block *block, uint8_t class)
{
    if (class == COPI_SLAB_LARGE) {
        free(block);
        return;
    }
    COP_ASSERT(class < COPI_SLAB_CLASSES);
    if (cache) {
        turn_over(&cache->bins[class], class);
        push(&cache->bins[class], block);
    } else {
        shelve_one(class, block);
    }
}

/* Nobody has written to the block while it was free; whoever takes it finds nothing in it. */
COPI_SEES_POISON void copi_slab_inspect(void *block, size_t size, uint8_t class)
{
    const unsigned char *bytes = block;
    for (size_t i = sizeof(struct free_block); i < copi_slab_class_size(class); i++)
        COP_ASSERT(bytes[i] == COPI_DEAD && "a free block was written to");
    memset(block, COPI_NEW, size);
}

/* Makes a block nobody's.  Under the sanitizer one that is given twice is reported here. */
static inline void retire(void *block, size_t size)
{
#ifdef COPI_POISONING
    (void)*(const volatile char *)block;
#endif
#ifdef COP_DEBUG_CHECKS
    COPI_UNPOISON(block, size);
    memset(block, COPI_DEAD, size);
#endif
    COPI_POISON(block, size);
}

void copi_slab_give_slowly(struct slab_cache *cache, void *block, uint8_t class)
{
    COP_DEBUG(block);
    if (class < COPI_SLAB_CLASSES)
        retire(block, class_size[class]);
    if (class >= COPI_SLAB_CLASSES || cache == NULL ||
        cache->bins[class].size == COPI_SLAB_MAGAZINE)
        give_elsewhere(cache, block, class);
    else
        push(&cache->bins[class], block);
}
