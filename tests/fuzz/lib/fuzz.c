/* fuzz.c - see fuzz.h. */
#include "fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { INPUT_MAX = 1 << 20 };

/* As tests/meson.build has them: the runtime keeps its own signal handlers and stacks.  What the
 * environment says comes first. */
#define HANDLERS                                                                         \
    "allow_user_segv_handler=1:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:"           \
    "handle_sigill=0:handle_abort=0:use_sigaltstack=0"

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return HANDLERS ":detect_stack_use_after_return=0:strict_string_checks=1";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return HANDLERS ":halt_on_error=1:print_stacktrace=1";
}

/* ---- failing --------------------------------------------------------------------------- */

/* By SIGABRT's default action: in a process of Coppice abort would end that process alone. */
void fuzz_fail(const char *format, ...)
{
    char text[4096] = "fuzz: ";
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text + 6, sizeof text - 7, format, arguments);
    va_end(arguments);
    size_t size = 6 + (size_t)(length < (int)sizeof text - 8 ? length : (int)sizeof text - 8);
    text[size++] = '\n';
    ssize_t written = write(STDERR_FILENO, text, size);
    (void)written;
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, SIGABRT);
    signal(SIGABRT, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    raise(SIGABRT);
    for (;;) pause();
}

/* ---- what is being tried --------------------------------------------------------------- */

/* A file that is mapped: what is in it stays, whatever becomes of the program. */
static struct tried { uint64_t size; uint8_t bytes[INPUT_MAX]; } *tried;

/* Before any thread runs.  What players say of bad files is of no interest: stderr alone, not the
 * descriptor that sanitizers write to. */
__attribute__((constructor)) static void prepare(void)
{
    const char *path = getenv("FUZZ_INPUT");
    FILE *nowhere = fopen("/dev/null", "we");
    if (nowhere != NULL) stderr = nowhere;
    if (path == NULL) return;
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof *tried) != 0) return;
    tried = mmap(NULL, sizeof *tried, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (tried == MAP_FAILED) tried = NULL;
    close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size > INPUT_MAX) return -1;
    if (tried != NULL) {
        memcpy(tried->bytes, bytes, size);
        tried->size = size;
    }
    fuzz_one(&(struct bytes){ bytes, bytes + size });
    return 0;
}

const char *fuzz_file(struct bytes *bytes)
{
    static char path[64];
    static int file = -1;
    if (file < 0) file = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(file >= 0 && ftruncate(file, 0) == 0);
    size_t size = bytes_left(bytes);
    FUZZ_CHECK(pwrite(file, bytes->at, size, 0) == (ssize_t)size);
    bytes->at = bytes->end;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return path;
}
