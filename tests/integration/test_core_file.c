/* test_core_file.c - a contained crash leaves a core file where that is asked for, of the thread
 * that crashed as it was, so many and no more; and goes on as without.
 *
 * Where the system puts cores elsewhere (core(5)) there is nothing to look at: the tests say so. */
#include <coppice/coppice.h>

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/sanitizer.h"
#include "trace.h"
#include "watch.h"
#include "ways_to_crash.h"

/* ---- whether there can be any ------------------------------------------------------------ */

static const char *obstacle(void)
{
    static char pattern[256];
    struct rlimit limit;
#if defined(COPI_ASAN) || defined(COPI_TSAN)
    return "a sanitizer's shadow memory is too large for a core file";
#endif
    FILE *file = fopen("/proc/sys/kernel/core_pattern", "r");
    if (file == NULL || fgets(pattern, sizeof pattern, file) == NULL) return "no core_pattern";
    fclose(file);
    if (pattern[0] == '|' || pattern[0] == '/') return "core_pattern leads elsewhere";
    getrlimit(RLIMIT_CORE, &limit);
    return limit.rlim_max == 0 ? "the hard limit of core files is 0" : NULL;
}

/* ---- directories ------------------------------------------------------------------------- */

static char directory[] = "/tmp/coppice-core-XXXXXX";

static void make_directory(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    int count = 0;
    while (readdir(dir) != NULL) count++;
    closedir(dir);
    return count - 2;
}

/* The path of the one file in there. */
static const char *only_file(const char *path)
{
    static char name[4096];
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        count++;
    }
    closedir(dir);
    ck_assert_int_eq(count, 1);
    return name;
}

static void remove_core(const char *path)
{
    ck_assert_int_eq(unlink(only_file(path)), 0);
    ck_assert_int_eq(rmdir(path), 0);
}

/* ---- reading a core file ----------------------------------------------------------------- */

/* The first thread's registers and signal: that of a program with one thread. */
static const struct elf_prstatus *find_status(const char *core)
{
    const Elf64_Ehdr *header = (const void *)core;
    const Elf64_Phdr *segments = (const void *)(core + header->e_phoff);
    ck_assert_int_eq(memcmp(header->e_ident, ELFMAG, SELFMAG), 0);
    ck_assert_int_eq(header->e_type, ET_CORE);
    const struct elf_prstatus *found = NULL;
    int threads = 0;
    for (int i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type != PT_NOTE) continue;
        const char *note = core + segments[i].p_offset, *end = note + segments[i].p_filesz;
        while (note + sizeof(Elf64_Nhdr) < end) {
            const Elf64_Nhdr *head = (const void *)note;
            const char *content = note + sizeof *head + (head->n_namesz + 3) / 4 * 4;
            if (head->n_type == NT_PRSTATUS) {
                found = (const void *)content;
                threads++;
            }
            note = content + (head->n_descsz + 3) / 4 * 4;
        }
    }
    ck_assert_int_eq(threads, 1);
    return found;
}

static int signal_in(const char *path)
{
    int fd = open(only_file(path), O_RDONLY);
    struct stat stat;
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &stat), 0);
    char *core = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    ck_assert(core != MAP_FAILED);
    close(fd);
    int number = find_status(core)->pr_cursig;
    munmap(core, (size_t)stat.st_size);
    return number;
}

/* ---- what is in it ----------------------------------------------------------------------- */

static void crashes(void *argument)
{
    const struct way *way = argument;
    way->crash();
}

static void crashes_in_all_ways(void *argument)
{
    (void)argument;
    for (int i = 0; i < WAYS; i++) {
        const cop_crash_report *report;
        char text[8192];
        trace_end_of(ways[i].name, crashes, (void *)&ways[i]);
        ck_assert_uint_ge(cop_crash_reports(&report, 1), 1);
        ck_assert_msg(report->core != NULL, "%s left no core file", ways[i].name);
        ck_assert_int_eq(strncmp(report->core, directory, strlen(directory)), 0);
        ck_assert_int_eq(signal_in(report->core), ways[i].signal);
        cop_crash_report_format(report, text, sizeof text);
        ck_assert_ptr_nonnull(strstr(text, "\n  core file in /tmp/coppice-core-"));
        cop_crash_report_json(report, text, sizeof text);
        ck_assert_ptr_nonnull(strstr(text, "\"core\":\"/tmp/coppice-core-"));
        remove_core(report->core);
        cop_crash_report_unref(report);
    }
}

static void expect_end(const struct way *way)
{
    ck_assert_msg(strstr(trace_text(), way->name) != NULL, "%s", way->name);
}

START_TEST(each_kind_of_crash_leaves_its_core_file_which_the_report_names)
{
    if (obstacle() != NULL) return;
    make_directory();
    trace_reset();
    cop_run_options options = { .deterministic = true, .core_directory = directory,
                                .core_files = WAYS };
    ck_assert_int_eq(cop_run(crashes_in_all_ways, NULL, &options), 0);
    for (int i = 0; i < WAYS; i++) expect_end(&ways[i]);
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

/* ---- how many ---------------------------------------------------------------------------- */

enum { CRASHES = 12 };

static void crashes_null(void *argument)
{
    (void)argument;
    crash_null_write();
}

static void sees_crashes(void *argument)
{
    const cop_crash_report *reports[CRASHES];
    (void)argument;
    for (int i = 0; i < CRASHES; i++) {
        cop_ref ref;
        cop_spawn_monitor(crashes_null, NULL, 0, &ref);
        cop_receive_type(cop_down_message, COP_INFINITY);
    }
    ck_assert_uint_eq(cop_crash_reports(reports, CRASHES), CRASHES);
    int with = 0;
    for (int i = 0; i < CRASHES; i++) {
        const cop_crash *crash = cop_reason_crash(reports[i]->reason);
        ck_assert_int_eq(crash->core != 0, reports[i]->core != NULL);
        with += reports[i]->core != NULL;
        if (reports[i]->core != NULL) remove_core(reports[i]->core);
        cop_crash_report_unref(reports[i]);
    }
    trace("%d crashes, %d core files", CRASHES, with);
}

static void run_with(cop_run_options options)
{
    ck_assert_int_eq(cop_run(sees_crashes, NULL, &options), 0);
    ck_assert_int_eq(count_entries(directory), 0);
}

START_TEST(there_are_none_unless_asked_for_and_at_most_so_many)
{
    if (obstacle() != NULL) return;
    make_directory();
    trace_reset();
    run_with((cop_run_options){ .deterministic = true });
    run_with((cop_run_options){ .core_files = 3 });
    run_with((cop_run_options){ .core_directory = directory });
    run_with((cop_run_options){ .core_directory = directory, .core_files = 3 });
    run_with((cop_run_options){ .core_directory = "/nowhere/at/all" });
    trace_expect("12 crashes, 0 core files\n"
                 "12 crashes, 0 core files\n"
                 "12 crashes, 8 core files\n"
                 "12 crashes, 3 core files\n"
                 "12 crashes, 0 core files\n");
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

START_TEST(where_the_system_writes_none_none_is_named_and_nothing_stays)
{
    make_directory();
    trace_reset();
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    run_with((cop_run_options){ .core_directory = directory, .schedulers = 2 });
    trace_expect("12 crashes, 0 core files\n");
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

static void counts_children(void *argument)
{
    (void)argument;
    trace_end_of("it", crashes_null, NULL);
    int status;
    ck_assert_int_eq(waitpid(-1, &status, WNOHANG), -1);         /* no child, nor a dead one */
}

static atomic_int children_heard;

static void hear_child(int signal)
{
    (void)signal;
    children_heard++;
}

START_TEST(the_program_hears_nothing_of_the_copy_that_died)
{
    make_directory();
    trace_reset();
    signal(SIGCHLD, hear_child);
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    cop_run_options options = { .core_directory = directory };
    ck_assert_int_eq(cop_run(counts_children, NULL, &options), 0);
    ck_assert_int_eq(children_heard, 0);
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

START_TEST(wrong_options_are_refused)
{
    char *too_long = calloc(1, 1002);
    memset(too_long, 'x', 1001);
    cop_run_options options = { .core_directory = too_long };
    ck_assert_int_eq(cop_run(crashes_null, NULL, &options), COP_EINVAL);
    options = (cop_run_options){ .core_directory = "/tmp", .core_files = -1 };
    ck_assert_int_eq(cop_run(crashes_null, NULL, &options), COP_EINVAL);
    free(too_long);
}
END_TEST

static Suite *core_file_suite(void)
{
    Suite *suite = suite_create("core_file");
    TCase *all = tcase_create("all");
    tcase_add_test(all, each_kind_of_crash_leaves_its_core_file_which_the_report_names);
    tcase_add_test(all, there_are_none_unless_asked_for_and_at_most_so_many);
    tcase_add_test(all, where_the_system_writes_none_none_is_named_and_nothing_stays);
    tcase_add_test(all, the_program_hears_nothing_of_the_copy_that_died);
    tcase_add_test(all, wrong_options_are_refused);
    suite_add_tcase(suite, all);
    return suite;
}

int main(void)
{
    if (obstacle() != NULL) printf("# no core files to look at here: %s\n", obstacle());
    SRunner *runner = srunner_create(core_file_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
