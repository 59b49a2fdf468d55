/* lookup.pml - src/base/lookup.{h,c}: what a reader finds between two equal even versions was so all
 * the time.
 *
 * A chain that always ends in node P.  A writer puts node N in front of it and takes it out, in
 * turn with text 1 and value 1, and with text 2 and value 2; while N is out its `next` leads to
 * nothing.  One reader looks for P, another for text 1.
 *
 * Bounds: the writer puts N in WRITINGS times, each reader looks READINGS times; three stores a
 * buffer.
 *
 * Checked: who looks for P does not miss it; who finds text 1 finds value 1; who misses it did not
 * look while it was in and nobody wrote.
 *
 * Mutants, each of which must fail:
 *     NO_SECOND_LOOK     the reader does not read the version again
 *     ODD_IS_GOOD        the same odd version twice will do
 *     NO_ODD             the writer gives one new version, at the end
 *     RELAXED_WORDS      it stores what it writes without release
 *     RELAXED_END        it stores the version at the end without release */

#ifndef WRITINGS
#define WRITINGS 3
#endif
#ifndef READINGS
#define READINGS 2
#endif

#define THREADS 1    /* with a buffer: the readers store nothing */
#define WORDS   5
#define VERSION 0
#define HEAD    1
#define NEXT    2    /* N's, as the next two */
#define TEXT    3
#define VALUE   4
#include "memory.pml"

#define NODE_N 1
#define NODE_P 2

byte done;

#ifdef RELAXED_WORDS
#define write(at, what)    store(0, at, what)
#else
#define write(at, what)    store_release(0, at, what)
#endif

inline begin()
{
#ifndef NO_ODD
    version++;
    store(0, VERSION, version)
#else
    skip
#endif
}

inline end_writing()
{
#ifdef NO_ODD
    version = version + 2;
#else
    version++;
#endif
#ifdef RELAXED_END
    store(0, VERSION, version)
#else
    store_release(0, VERSION, version)
#endif
}

proctype writer()
{
    byte i, k, version;
    do
    :: i < WRITINGS ->
        begin();
        write(TEXT, 1 + i % 2);
        write(VALUE, 1 + i % 2);
        write(NEXT, NODE_P);
        write(HEAD, NODE_N);
        end_writing();
        begin();
        write(HEAD, NODE_P);
        write(NEXT, 0);
        end_writing();
        i++
    :: else -> break
    od;
    done++
}

#ifdef NO_SECOND_LOOK
#define IS_SETTLED    (version % 2 == 0)
#elif defined(ODD_IS_GOOD)
#define IS_SETTLED    (memory[VERSION] == version)
#else
#define IS_SETTLED    (version % 2 == 0 && memory[VERSION] == version)
#endif

proctype looks_for_p()
{
    byte i, version, node;
    do
    :: i < READINGS ->
        version = memory[VERSION];
        node = memory[HEAD];
        if
        :: node == NODE_N -> node = memory[NEXT]
        :: else
        fi;
        if
        :: IS_SETTLED -> assert(node == NODE_P)
        :: else
        fi;
        version = 0;
        node = 0;
        i++
    :: else -> break
    od;
    done++
}

/* Versions 2, 10, 18, ...: text 1 is in. */
#define IS_IN    (version % 8 == 2)

proctype looks_for_text()
{
    byte i, version, node, value;
    do
    :: i < READINGS ->
        version = memory[VERSION];
        node = memory[HEAD];
        value = 0;
        if
        :: node == NODE_N ->
            if
            :: memory[TEXT] == 1 -> value = memory[VALUE]
            :: else
            fi
        :: else
        fi;
        if
        :: IS_SETTLED -> assert(value == (IS_IN -> 1 : 0))
        :: else
        fi;
        version = 0;
        node = 0;
        value = 0;
        i++
    :: else -> break
    od;
    done++
}

init
{
    memory[HEAD] = NODE_P;
    atomic {
        run stores_arrive(0);
        run writer(); run looks_for_p(); run looks_for_text()
    }
    done == 3
}
