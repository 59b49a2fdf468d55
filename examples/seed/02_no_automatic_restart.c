/* 02_no_automatic_restart.c - Problem 1: without supervisors every retry is written by hand,
 * again and again. */
#include "cast.h"

static void sometimes_crash(void *argument)
{
    if (*(const int *)argument < 2)
        cop_raise("Task failed");
}

static const cop_reason *start_worker(int attempt)
{
    cop_ref ref;
    cop_spawn_monitor(sometimes_crash, &attempt, sizeof attempt, &ref);
    const cop_message *message = cop_receive_match(&(cop_match){ .ref = ref }, COP_INFINITY);
    return cop_expect(message, cop_down_message)->reason;
}

static bool start_worker_with_retry(int max_retries)
{
    for (int attempt = 0; attempt < max_retries; attempt++) {
        const cop_reason *reason = start_worker(attempt);
        if (!cop_reason_abnormal(reason))
            return true;
        printf("Worker failed (attempt %d): %s\n", attempt + 1, reason_text(reason));
        cop_sleep(1000);                             /* backoff, by hand as well */
    }
    return false;
}

/* ---- on stage ---- */

static void story(void *argument)
{
    (void)argument;
    printf("with 3 tries: %s\n", start_worker_with_retry(3) ? "ok" : "max retries reached");
    printf("with 2 tries: %s\n", start_worker_with_retry(2) ? "ok" : "max retries reached");
}

PLAY(story)
