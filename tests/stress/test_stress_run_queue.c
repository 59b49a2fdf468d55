/* test_stress_run_queue.c - the owner of a run queue puts and takes while others post, steal and
 * stand in: each process is taken once, and those that one thread posted are taken in their order.
 *
 * A process here is its memory and a number; who has taken it counts it and, if it is the owner,
 * puts some of them back.  It fails, for it was tried, when a thief changes the list without the
 * lock and when collect loses those behind the newest. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "platform/platform.h"
#include "platform/sanitizer.h"
#include "runtime/run_queue.h"

#if defined(__SANITIZE_ADDRESS__) || defined(COPI_TSAN)
enum { EACH = 10000 };
#else
enum { EACH = 50000 };
#endif
enum { POSTERS = 2, PUT = POSTERS, SOURCES = POSTERS + 1, ALL = SOURCES * EACH };

static struct run_queue queue;
static struct process *processes;           /* those of source s: [s * EACH, (s + 1) * EACH) */
static _Atomic unsigned char taken[ALL];
static _Atomic int left;
static _Atomic int twice, overtaken;
static bool thieves;                        /* the order is looked at where nobody steals */

static int number(const struct process *process)
{
    return (int)(process - processes);
}

static void take(const struct process *process)
{
    if (atomic_fetch_add(&taken[number(process)], 1) != 0)
        atomic_fetch_add(&twice, 1);
    atomic_fetch_sub(&left, 1);
}

static void *posts(void *argument)
{
    int source = *(const int *)argument;
    for (int i = 0; i < EACH; i++) {
        copi_run_queue_post(&queue, &processes[source * EACH + i]);
        if (i % 64 == 0)
            sched_yield();
    }
    return NULL;
}

static void *steals(void *argument)
{
    (void)argument;
    struct process *stolen[COPI_STEAL_MAX];
    while (atomic_load(&left) > 0) {
        uint32_t count = copi_run_queue_steal(&queue, true, stolen);
        for (uint32_t i = 0; i < count; i++) {
            if (stolen[i]->stack != NULL)
                atomic_fetch_add(&twice, 1);    /* is pinned: nobody may steal it */
            take(stolen[i]);
        }
        sched_yield();
    }
    return NULL;
}

static void *stands_in(void *argument)
{
    (void)argument;
    while (atomic_load(&left) > 0) {
        struct process *process = copi_run_queue_take_for(&queue);
        if (process != NULL)
            take(process);
        sched_yield();
    }
    return NULL;
}

/* Puts its own, takes whatever there is; each 7th it puts back once more before it counts. */
static void owner(void)
{
    int last[SOURCES] = { -1, -1, -1 }, put = 0, again = -1;
    while (atomic_load(&left) > 0) {
        if (put < EACH)
            copi_run_queue_put(&queue, &processes[PUT * EACH + put++]);
        struct process *process = copi_run_queue_take(&queue);
        if (process == NULL)
            continue;
        int it = number(process), source = it / EACH;
        if (it % 7 == 0 && it != again && again == -1 && thieves) {
            again = it;
            copi_run_queue_put(&queue, process);
            continue;
        }
        if (it == again)
            again = -1;
        if (!thieves && it <= last[source])
            atomic_fetch_add(&overtaken, 1);
        last[source] = it;
        take(process);
    }
}

static void run(void *(*const others[])(void *), int count)
{
    pthread_t threads[POSTERS + 3];
    int sources[POSTERS];
    static char pinned;
    copi_fence_init();
    copi_run_queue_init(&queue);
    processes = calloc(ALL, sizeof *processes);
    ck_assert_ptr_nonnull(processes);
    for (int i = 0; i < ALL; i += 5) processes[i].stack = (struct stack *)&pinned;
    atomic_store(&left, ALL);
    for (int i = 0; i < POSTERS; i++) {
        sources[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, posts, &sources[i]), 0);
    }
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&threads[POSTERS + i], NULL, others[i], NULL), 0);
    owner();
    for (int i = 0; i < POSTERS + count; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&twice), 0);
    ck_assert_int_eq(atomic_load(&overtaken), 0);
    for (int i = 0; i < ALL; i++) ck_assert_uint_eq(atomic_load(&taken[i]), 1);
    ck_assert_uint_eq(copi_run_queue_length(&queue), 0);
    copi_run_queue_deinit(&queue);
    free(processes);
}

START_TEST(the_owner_takes_what_each_posted_in_its_order)
{
    run(NULL, 0);
}
END_TEST

START_TEST(each_is_taken_once_whoever_takes)
{
    thieves = true;
    run((void *(*const[])(void *)){ steals, stands_in, steals }, 3);
}
END_TEST

/* ---- who looks before it parks ------------------------------------------------------------- */

enum { LOOKS = 10 * EACH };

static _Atomic long there;                  /* odd: a pinned process is in the queue */
static _Atomic int unseen;

static void *steals_in_vain(void *argument)
{
    (void)argument;
    struct process *stolen[COPI_STEAL_MAX];
    while (atomic_load(&there) >= 0)
        if (copi_run_queue_steal(&queue, true, stolen) > 0)
            atomic_fetch_add(&twice, 1);
    return NULL;
}

static void *looks(void *argument)
{
    (void)argument;
    for (long before; (before = atomic_load(&there)) >= 0;) {
        bool empty = copi_run_queue_length(&queue) == 0;
        if (empty && before % 2 == 1 && atomic_load(&there) == before)
            atomic_fetch_add(&unseen, 1);
    }
    return NULL;
}

/* A thief that finds what was posted puts it into the list. */
START_TEST(a_queue_never_looks_empty_while_a_thief_has_a_look_at_what_was_posted)
{
    static char pinned;
    struct process process = { .stack = (struct stack *)&pinned };
    pthread_t thief, looker;
    copi_fence_init();
    copi_run_queue_init(&queue);
    ck_assert_int_eq(pthread_create(&thief, NULL, steals_in_vain, NULL), 0);
    ck_assert_int_eq(pthread_create(&looker, NULL, looks, NULL), 0);
    for (int i = 0; i < LOOKS; i++) {
        copi_run_queue_post(&queue, &process);
        atomic_fetch_add(&there, 1);
        for (int j = 0; j < i % 64; j++) copi_pause();
        atomic_fetch_add(&there, 1);
        while (copi_run_queue_take(&queue) == NULL) copi_pause();
    }
    atomic_store(&there, -1);
    pthread_join(thief, NULL);
    pthread_join(looker, NULL);
    ck_assert_int_eq(atomic_load(&unseen), 0);
    ck_assert_int_eq(atomic_load(&twice), 0);
    copi_run_queue_deinit(&queue);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stress_run_queue");
    TCase *tests = tcase_create("stress_run_queue");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_owner_takes_what_each_posted_in_its_order);
    tcase_add_test(tests, each_is_taken_once_whoever_takes);
    tcase_add_test(tests, a_queue_never_looks_empty_while_a_thief_has_a_look_at_what_was_posted);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
