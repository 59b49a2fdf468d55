/* echo.c - a TCP server in which each connection is a process.
 *
 *     build/bin/echo 7777 &        # 0: a port that is free; it says which
 *     nc 127.0.0.1 7777            # "crash" crashes what serves this connection, and nothing else
 *
 *     top (rest_for_one)
 *     ├── connections              a dynamic supervisor: a process each, not restarted
 *     └── listener                 accepts; owns the listening socket
 *
 * A descriptor is somebody's at every moment, so none is left behind whoever crashes.  Ctrl-C is a
 * descriptor, too: then the tree has two seconds to stop. */
#include <arpa/inet.h>
#include <coppice/coppice.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1000, IDLE_MS = 60000, WRITE_MS = 5000, STOP_MS = 2000 };

static uint16_t port;

/* ---- a connection ---------------------------------------------------------------------- */

COP_MESSAGE_WITH(accepted, { int fd; }, cop_fd_drop);

static int *volatile nowhere;

static void connection(void *argument)
{
    (void)argument;
    cop_set_label("connection");
    cop_init_ack();
    cop_message *message = cop_take(&(cop_match){ .type = COP_TYPE(accepted) }, COP_INFINITY);
    accepted *socket = cop_payload(message);
    int fd = socket->fd;
    cop_own_fd(fd);                       /* closed when this process ends, however it ends */
    socket->fd = -1;                      /* the message has it no more */

    char bytes[1024];
    for (;;) {
        int64_t count = cop_read(fd, bytes, sizeof bytes, IDLE_MS);
        if (count <= 0) return;           /* the other side has hung up, or sleeps */
        if (count >= 5 && memcmp(bytes, "crash", 5) == 0) *nowhere = 1;
        if (cop_write(fd, bytes, (size_t)count, WRITE_MS) != count) return;
    }
}

static const cop_child_spec connection_spec = {
    .id = "connection", .start = cop_child_function, .module = COP_FUNCTION(connection),
    .restart = COP_TEMPORARY, .shutdown = COP_SHUTDOWN_MS(1000),
};

static const cop_dynamic_supervisor connections = {
    .name = "connections", .max_children = CONNECTIONS_MAX,
};

/* ---- the listener ---------------------------------------------------------------------- */

static int listen_on(uint16_t wanted)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(wanted),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) cop_raise("socket: %s", strerror(errno));
    cop_own_fd(fd);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        cop_raise("port %d: %s", wanted, strerror(errno));
    port = ntohs(address.sin_port);       /* the same one again, should it restart */
    return fd;
}

/* Until a process has taken it, the connection is the listener's. */
static void hand_over(int fd)
{
    cop_deferred *owned = cop_own_fd(fd);
    cop_started started = cop_dynamic_supervisor_start_child(cop_to("connections"),
                                                             &connection_spec);
    bool refused = started.error != 0;    /* too many, for one */
    cop_undefer(owned, refused);
    if (!refused) cop_send(started.pid, accepted, .fd = fd);
    cop_reason_unref(started.reason);
}

static void listener(void *argument)
{
    (void)argument;
    int listening = listen_on(port);
    cop_init_ack();
    for (;;) {
        cop_must(cop_wait_fd(listening, COP_READABLE, COP_INFINITY, NULL));
        int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) hand_over(fd);
        else if (errno == EMFILE || errno == ENFILE) cop_sleep(100);   /* some will be closed */
    }
}

/* ---- the program ----------------------------------------------------------------------- */

static const cop_child_spec children[] = {
    COP_CHILD_DYNAMIC_SUPERVISOR(connections),
    COP_CHILD_FUNCTION(listener),
};
static const cop_supervisor top = {
    .name = "top", .strategy = COP_REST_FOR_ONE, COP_CHILDREN(children),
};

/* SIGINT and SIGTERM as a descriptor; main has blocked them for all threads. */
static int ending_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    return signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void signal_comes(void *argument)
{
    cop_must(cop_wait_fd(*(const int *)argument, COP_READABLE, COP_INFINITY, NULL));
}

/* Waits for the end of the one or the other: of who waits for a signal, or of the tree. */
static void first_process(void *argument)
{
    cop_trap_exit(true);
    cop_must_start(cop_supervisor_start_link(&top));
    printf("listening on 127.0.0.1:%d\n", port);
    fflush(stdout);
    cop_pid signal = cop_spawn_link(signal_comes, argument, 0);
    const cop_exit_message *end = cop_receive_type(cop_exit_message, COP_INFINITY);
    if (!cop_pid_equal(end->from, signal)) cop_raise("the tree gave up");
    int error = cop_supervisor_stop_within(cop_to("top"), COP_SHUTDOWN, STOP_MS, NULL, NULL);
    puts(error == 0 ? "stopped" : "stopped, not all in order");
}

int main(int argc, char **argv)
{
    char *end = NULL;
    long wanted = argc == 2 ? strtol(argv[1], &end, 10) : -1;
    if (end == NULL || *end != '\0' || end == argv[1] || wanted < 0 || wanted > UINT16_MAX) {
        fputs("usage: echo PORT      (0: one that is free)\n", stderr);
        return 2;
    }
    port = (uint16_t)wanted;
    sigset_t set;
    int signals = ending_signals(&set);
    if (signals < 0 || sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        perror("echo");
        return 1;
    }
    int error = cop_run(first_process, &signals, &(cop_run_options){ .log = cop_log_stderr });
    if (error != 0) fputs("echo: ended; the reports say why\n", stderr);
    return error == 0 ? 0 : 1;
}
