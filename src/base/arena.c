/* arena.c - the memory of one process.
 *
 *     first chunk    | struct arena | header block | header block | ... | cursor, left
 *     later chunk    | struct chunk |  header block | ...
 *     large block    | struct chunk |  header block |
 *
 * Blocks are cut from the newest chunk at the cursor, in 28 classes: multiples of 16 bytes up
 * to 256, then four classes to each doubling.  A freed block that ends at the cursor moves it
 * back; another one waits on a free list for a request of its class.  In a small arena there is
 * one list for all classes, searched over a few steps; a chunk of BINS_FROM bytes has room
 * for a list for each class, and from then on no search is needed.
 *
 * A header is 8 bytes before a block that is aligned to 16, hence FRONT: the first header of a
 * chunk stands at 8 modulo 16, and the last 8 bytes of a chunk, whose size is a multiple of 16, are
 * no part of any block; only an arena's first block, for which its first chunk is made, may
 * reach into them.  A header's mark depends on the block's and the arena's addresses, so that
 * blocks freed twice, blocks of another arena and addresses that are not blocks are found out. */
#include "arena.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "assert.h"
#include "hostile.h"
#include "poison.h"

enum {
    UNIT = 16,
    FRONT = 40,                         /* bytes before a chunk's first header */
    FIRST_CHUNK = 96,                   /* at least */
    LAST_CHUNK = COPI_LIMIT(64 * 1024, 4096),     /* chunks double up to here */
    BINS_FROM = COPI_LIMIT(1024, 512),
    CLASSES = 28,
    UNIT_CLASSES = 16,                  /* that many of them are a unit apart */
    LAST_BYTES = 8,                     /* of a chunk, see above */
    LARGE = 255,                        /* a header's class: the block is malloc's */
    SEARCH_STEPS = COPI_LIMIT(8, 1)
};

struct header {
    uint32_t size;                      /* as asked for; a large block's is in its chunk */
    uint16_t mark;
    uint8_t class;
};

/* A chunk after the first, or a large block. */
struct chunk {
    struct chunk *next;
    struct chunk *previous;             /* NULL in the newest */
    size_t size;                        /* a large block's, as asked for */
    uint8_t slab_class;
};

struct arena {
    struct chunk *chunks;               /* all but the first; newest first */
    char *cursor;                       /* where the next header goes */
    union {
        struct header *loose;           /* all free blocks */
        struct header **bins;           /* when binned: those of each class */
    };
    size_t used;
    uint32_t left;                      /* bytes at the cursor */
    uint16_t chunk_units;               /* size of the newest chunk */
    uint8_t slab_class;                 /* of the first chunk */
    bool binned;
};

_Static_assert(sizeof(struct header) == 8, "a header keeps its block aligned");
_Static_assert(sizeof(struct arena) <= FRONT && sizeof(struct chunk) <= FRONT, "FRONT is enough");
_Static_assert(FRONT % UNIT == 8, "blocks are aligned");

/* ---- classes --------------------------------------------------------------------------- */

/* The class whose blocks have at least that many units, 1 to 128.  Above 16 units, with n the
 * power of two below: (n, n + n/4], (n + n/4, n + n/2] ... are one class each. */
static uint8_t class_for(uint32_t units)
{
    if (units <= UNIT_CLASSES)
        return (uint8_t)(units - 1);
    uint32_t below = units - 1;
    uint32_t log = 31 - (uint32_t)__builtin_clz(below);
    return (uint8_t)(16 + (log - 4) * 4 + ((below >> (log - 2)) & 3));
}

static uint8_t class_for_size(size_t size)
{
    return class_for((uint32_t)(sizeof(struct header) + size + UNIT - 1) / UNIT);
}

static uint32_t class_units(uint8_t class)
{
    if (class < UNIT_CLASSES)
        return class + 1u;
    uint32_t log = 4 + (class - 16u) / 4;
    return (1u << log) + ((class & 3u) + 1) * (1u << (log - 2));
}

static uint32_t class_bytes(uint8_t class)
{
    return class_units(class) * UNIT;
}

/* The bytes that a block of the class has for sure. */
static size_t class_room(uint8_t class)
{
    return class_bytes(class) - sizeof(struct header);
}

/* ---- headers and free lists ------------------------------------------------------------ */

static uint16_t mark_of(const struct arena *arena, const struct header *header)
{
    return (uint16_t)(((uintptr_t)header >> 4) ^ ((uintptr_t)arena >> 4) ^ 0xa75e);
}

COPI_SEES_POISON bool copi_arena_has(const struct arena *arena, const void *block)
{
    const struct header *header = (const struct header *)block - 1;
    return arena && (uintptr_t)block % UNIT == 0 && header->mark == mark_of(arena, header);
}

static struct header *live_header(const struct arena *arena, void *block)
{
    COP_ASSERT(copi_arena_has(arena, block));
    return (struct header *)block - 1;
}

/* A free block's first word: the next one. */
static struct header **link_of(struct header *header)
{
    return (struct header **)(void *)(header + 1);
}

/* Behind the link. */
COPI_SEES_POISON static void fill_free(struct header *header)
{
    unsigned char *bytes = (unsigned char *)(header + 1);
    for (size_t i = 0; i < class_room(header->class); i++) bytes[i] = COPI_DEAD;
}

COPI_SEES_POISON static void inspect(const struct header *header)
{
    const unsigned char *bytes = (const unsigned char *)(header + 1);
    for (size_t i = sizeof header; i < class_room(header->class); i++)
        COP_ASSERT(bytes[i] == COPI_DEAD && "a free block was written to");
}

COPI_SEES_POISON static void push_free(struct arena *arena, struct header *header)
{
    struct header **list = arena->binned ? &arena->bins[header->class] : &arena->loose;
    if (COPI_HOSTILE)
        fill_free(header);
    *link_of(header) = *list;
    *list = header;
}

COPI_SEES_POISON __attribute__((noinline)) static struct header *search_loose(struct arena *arena,
                                                                              uint8_t class)
{
    struct header **link = &arena->loose;
    for (int step = 0; *link && step < SEARCH_STEPS; step++) {
        struct header *header = *link;
        if (header->class == class) {
            *link = *link_of(header);
            return header;
        }
        link = link_of(header);
    }
    return NULL;
}

COPI_SEES_POISON static struct header *pop_free(struct arena *arena, uint8_t class)
{
    if (!arena->binned)
        return arena->loose ? search_loose(arena, class) : NULL;
    struct header *header = arena->bins[class];
    if (header)
        arena->bins[class] = *link_of(header);
    return header;
}

/* Cuts a block at the cursor, where there must be room. */
COPI_SEES_POISON static struct header *cut(struct arena *arena, uint8_t class)
{
    struct header *header = (struct header *)(void *)arena->cursor;
    header->class = class;
    arena->cursor += class_bytes(class);
    arena->left -= class_bytes(class);
    return header;
}

/* ---- chunks ---------------------------------------------------------------------------- */

/* size bytes or what the slab's class has above that. */
static void *take_chunk(struct slab_cache *cache, size_t size, size_t *ret_size, uint8_t *ret_class)
{
    uint8_t class;
    char *chunk = copi_slab_take(cache, size, &class);
    if (!chunk)
        return NULL;
    *ret_size = class == COPI_SLAB_LARGE ? size : copi_slab_class_size(class);
    *ret_class = class;
    COPI_UNPOISON(chunk, FRONT);
    COPI_POISON(chunk + FRONT, *ret_size - FRONT);
    return chunk;
}

static void use_chunk(struct arena *arena, void *chunk, size_t size)
{
    arena->cursor = (char *)chunk + FRONT;
    arena->left = (uint32_t)(size - FRONT);
    arena->chunk_units = (uint16_t)(size / UNIT);
}

/* An arena with room for that many bytes, headers included; NULL without memory. */
__attribute__((noinline)) static struct arena *start(struct slab_cache *cache, size_t bytes)
{
    size_t size = FRONT + bytes < FIRST_CHUNK ? FIRST_CHUNK : FRONT + bytes;
    uint8_t class;
    struct arena *arena = take_chunk(cache, size, &size, &class);
    if (!arena)
        return NULL;
    memset(arena, 0, sizeof *arena);
    arena->slab_class = class;
    use_chunk(arena, arena, size);
    return arena;
}

static void link_chunk(struct arena *arena, struct chunk *chunk)
{
    chunk->previous = NULL;
    chunk->next = arena->chunks;
    if (chunk->next)
        chunk->next->previous = chunk;
    arena->chunks = chunk;
}

static void unlink_chunk(struct arena *arena, struct chunk *chunk)
{
    if (chunk->next)
        chunk->next->previous = chunk->previous;
    if (chunk->previous)
        chunk->previous->next = chunk->next;
    else
        arena->chunks = chunk->next;
}

/* What is left of a chunk goes to the free lists. */
COPI_SEES_POISON static void use_up(struct arena *arena)
{
    while (arena->left >= UNIT) {
        uint32_t units = arena->left / UNIT;
        uint8_t class = units < class_units(CLASSES - 1) ? class_for(units) : CLASSES - 1;
        if (class_units(class) > units)
            class--;
        struct header *header = cut(arena, class);
        header->mark = (uint16_t)~mark_of(arena, header);
        push_free(arena, header);
    }
}

/* Cuts the free lists of the classes as a block and deals the loose blocks out to them. */
COPI_SEES_POISON static void add_bins(struct arena *arena, uint8_t class)
{
    struct header *loose = arena->loose;
    struct header *header = cut(arena, class);
    header->mark = 0;
    COPI_UNPOISON(header + 1, CLASSES * sizeof *arena->bins);
    arena->bins = memset(header + 1, 0, CLASSES * sizeof *arena->bins);
    arena->binned = true;
    while (loose) {
        struct header *next = *link_of(loose);
        push_free(arena, loose);
        loose = next;
    }
}

/* Adds a chunk with room for that many bytes. */
__attribute__((noinline)) static bool grow(struct arena *arena, struct slab_cache *cache,
                                           uint32_t bytes)
{
    size_t size = (size_t)arena->chunk_units * UNIT * 2;
    if (size > LAST_CHUNK)
        size = LAST_CHUNK;
    if (size < FRONT + bytes)
        size = FRONT + bytes;
    uint8_t slab_class;
    struct chunk *chunk = take_chunk(cache, size, &size, &slab_class);
    if (!chunk)
        return false;
    chunk->size = 0;
    chunk->slab_class = slab_class;
    use_up(arena);
    link_chunk(arena, chunk);
    use_chunk(arena, chunk, size);

    uint8_t bins_class = class_for_size(CLASSES * sizeof *arena->bins);
    if (!arena->binned && size >= BINS_FROM && arena->left >= class_bytes(bins_class) + bytes)
        add_bins(arena, bins_class);
    return true;
}

/* ---- blocks ---------------------------------------------------------------------------- */

COPI_SEES_POISON __attribute__((noinline)) static void *alloc_large(struct arena **arena_,
                                                                    struct slab_cache *cache,
                                                                    size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    if (!*arena_)
        *arena_ = start(cache, 0);
    struct arena *arena = *arena_;
    if (!arena)
        return NULL;
    struct chunk *chunk = calloc(1, FRONT + sizeof(struct header) + size);
    if (!chunk)
        return NULL;
    chunk->size = size;
    chunk->slab_class = COPI_SLAB_LARGE;
    link_chunk(arena, chunk);
    struct header *header = (struct header *)(void *)((char *)chunk + FRONT);
    header->class = LARGE;
    header->mark = mark_of(arena, header);
    arena->used += size;
    return header + 1;
}

COPI_SEES_POISON static inline void *hand_out(struct arena *arena, struct header *header,
                                              size_t size)
{
    header->size = (uint32_t)size;
    header->mark = mark_of(arena, header);
    arena->used += size;
    COPI_UNPOISON(header + 1, size);
    return memset(header + 1, 0, size);
}

/* The first block, if small, is of the class below if that and the chunk's last 8 bytes are enough
 * for it, and the chunk has no more. */
static void *alloc_first(struct arena **arena_, struct slab_cache *cache, size_t size)
{
    uint8_t class = class_for_size(size);
    size_t bytes = class_bytes(class);
    if (class > 0 && class < UNIT_CLASSES && size <= bytes - UNIT)
        bytes -= LAST_BYTES;
    struct arena *arena = start(cache, bytes);
    if (!arena)
        return NULL;
    *arena_ = arena;
    if (arena->left < class_bytes(class))
        class--;
    COP_DEBUG(size + sizeof(struct header) <= arena->left);
    return hand_out(arena, cut(arena, class), size);
}

/* There is no arena, or no room in it. */
__attribute__((noinline)) static void *alloc_slowly(struct arena **arena_,
                                                    struct slab_cache *cache, size_t size)
{
    uint8_t class = class_for_size(size);
    if (!*arena_)
        return alloc_first(arena_, cache, size);
    if (!grow(*arena_, cache, class_bytes(class)))
        return NULL;
    return hand_out(*arena_, cut(*arena_, class), size);
}

void *copi_arena_alloc(struct arena **arena_, struct slab_cache *cache, size_t size)
{
    if (__builtin_expect(size > COPI_ARENA_LARGE, 0))
        return alloc_large(arena_, cache, size);
    struct arena *arena = *arena_;
    if (!arena)
        return alloc_slowly(arena_, cache, size);
    uint8_t class = class_for_size(size);
    struct header *header = pop_free(arena, class);
    if (COPI_HOSTILE && header)
        inspect(header);
    if (!header) {
        if (class_bytes(class) > arena->left)
            return alloc_slowly(arena_, cache, size);
        header = cut(arena, class);
    }
    return hand_out(arena, header, size);
}

/* The first block may have more than its class has. */
COPI_SEES_POISON static size_t used_room(const struct header *header)
{
    size_t room = class_room(header->class);
    return header->size < room ? room : header->size;
}

static struct chunk *chunk_of_large(struct header *header)
{
    return (struct chunk *)(void *)((char *)header - FRONT);
}

static void free_large(struct arena *arena, struct header *header)
{
    struct chunk *chunk = chunk_of_large(header);
    arena->used -= chunk->size;
    unlink_chunk(arena, chunk);
    header->mark = 0;
    free(chunk);
}

COPI_SEES_POISON void copi_arena_free(struct arena *arena, void *block)
{
    if (!block)
        return;
    struct header *header = live_header(arena, block);
    if (__builtin_expect(header->class == LARGE, 0)) {
        free_large(arena, header);
        return;
    }
    uint32_t bytes = class_bytes(header->class);
    arena->used -= header->size;
    header->mark = (uint16_t)~header->mark;
#ifdef COP_DEBUG_CHECKS
    memset(block, COPI_DEAD, header->size);
#endif
    COPI_POISON(block, used_room(header));
    if ((char *)header + bytes == arena->cursor) {
        arena->cursor = (char *)header;
        arena->left += bytes;
    } else {
        push_free(arena, header);
    }
}

/* Keeps the block where it is and sets its size, zeroing what is new. */
COPI_SEES_POISON static void resize(struct arena *arena, struct header *header, size_t size)
{
    char *block = (char *)(header + 1);
    size_t old_size = header->size;
    arena->used += size - old_size;
    COPI_POISON(block, used_room(header));
    header->size = (uint32_t)size;
    COPI_UNPOISON(block, size);
    if (size > old_size)
        memset(block + old_size, 0, size - old_size);
}

COPI_SEES_POISON void *copi_arena_realloc(struct arena **arena_, struct slab_cache *cache,
                                          void *block, size_t size)
{
    if (!block)
        return copi_arena_alloc(arena_, cache, size);
    struct header *header = live_header(*arena_, block);
    size_t old_size = header->size;
    if (header->class == LARGE) {
        old_size = chunk_of_large(header)->size;
    } else if (!COPI_HOSTILE && size <= class_room(header->class)) {
        resize(*arena_, header, size);
        return block;
    }
    void *moved = copi_arena_alloc(arena_, cache, size);
    if (!moved)
        return NULL;
    memcpy(moved, block, old_size < size ? old_size : size);
    copi_arena_free(*arena_, block);
    return moved;
}

COPI_SEES_POISON size_t copi_arena_size(const void *block)
{
    if (!block)
        return 0;
    const struct header *header = (const struct header *)block - 1;
    if (header->class != LARGE)
        return header->size;
    return ((const struct chunk *)(const void *)((const char *)header - FRONT))->size;
}

size_t copi_arena_used(const struct arena *arena)
{
    return arena ? arena->used : 0;
}

void copi_arena_destroy(struct arena **arena_, struct slab_cache *cache)
{
    struct arena *arena = *arena_;
    if (!arena)
        return;
    struct chunk *chunk = arena->chunks;
    while (chunk) {
        struct chunk *next = chunk->next;
        copi_slab_give(cache, chunk, chunk->slab_class);
        chunk = next;
    }
    copi_slab_give(cache, arena, arena->slab_class);
    *arena_ = NULL;
}
