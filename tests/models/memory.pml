/* memory.pml - weak memory: what a thread stores waits in a buffer of its own before others see it.
 *
 * A thread's stores of one word arrive in their order; those of different words in any order (as
 * on AArch64, and more than x86-64 does), but a release store behind all that were before it.  A
 * load finds the thread's own newest store, else what has arrived; loads are not moved.  A fence
 * waits for nothing: it makes all of the thread's stores arrive.  A compare-and-swap, an exchange
 * and a seq_cst store are fences.  So a seq_cst word may as well be a plain variable, written after
 * a fence.
 *
 * Who includes it has defined THREADS and WORDS.  Bound: 3 stores wait in a buffer; a thread that
 * stores more waits itself. */

typedef buffer {
    byte length;
    byte word[3];
    byte value[3];
    bool release[3]
}

byte memory[WORDS];
buffer buffers[THREADS];

/* The i-th store of a buffer has arrived.  What is free is 0, so that equal states look equal. */
inline arrive(thread, i)
{
    memory[buffers[thread].word[i]] = buffers[thread].value[i];
    k = i;
    do
    :: k < 2 ->
        buffers[thread].word[k] = buffers[thread].word[k + 1];
        buffers[thread].value[k] = buffers[thread].value[k + 1];
        buffers[thread].release[k] = buffers[thread].release[k + 1];
        k++
    :: else -> break
    od;
    buffers[thread].word[2] = 0;
    buffers[thread].value[2] = 0;
    buffers[thread].release[2] = false;
    buffers[thread].length--;
    k = 0
}

#define WORD(i)    buffers[thread].word[i]
#define FREE(i)    (buffers[thread].length > i && !buffers[thread].release[i])

/* One for each thread: its stores arrive at any time. */
proctype stores_arrive(byte thread)
{
    byte k;
end:
    do
    :: d_step { buffers[thread].length > 0 -> arrive(thread, 0) }
    :: d_step { FREE(1) && WORD(1) != WORD(0) -> arrive(thread, 1) }
    :: d_step { FREE(2) && WORD(2) != WORD(0) && WORD(2) != WORD(1) -> arrive(thread, 2) }
    od
}

/* Each user declares `byte k, f;` for these. */
inline store_as(thread, at, what, releases)
{
    d_step {
        buffers[thread].length < 3 ->
        buffers[thread].word[buffers[thread].length] = at;
        buffers[thread].value[buffers[thread].length] = what;
        buffers[thread].release[buffers[thread].length] = releases;
        buffers[thread].length++
    }
}

#define store(thread, at, what)            store_as(thread, at, what, false)
#define store_release(thread, at, what)    store_as(thread, at, what, true)

/* What the thread finds in a word: its own newest store of it, else what has arrived. */
#define OWN(t, at, i)    (buffers[t].length > i && buffers[t].word[i] == at)
#define LOAD(t, at)                                     \
    (OWN(t, at, 2) -> buffers[t].value[2] :             \
     (OWN(t, at, 1) -> buffers[t].value[1] :            \
      (OWN(t, at, 0) -> buffers[t].value[0] : memory[at])))

inline fence(thread)
{
    d_step {
        do
        :: buffers[thread].length > 0 -> arrive(thread, 0)
        :: else -> break
        od
    }
}

/* membarrier: every thread passes a fence.  All at once: what one of them stores before another
 * passes it may arrive at once too, so nothing is left out. */
inline fence_of_all()
{
    d_step {
        f = 0;
        do
        :: f < THREADS && buffers[f].length > 0 -> arrive(f, 0)
        :: f < THREADS && buffers[f].length == 0 -> f++
        :: else -> break
        od;
        f = 0
    }
}
