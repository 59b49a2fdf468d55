/* payload.c - bytes in messages: shared buffers, a new buffer for each, and copies. */
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "harness.h"

enum { WINDOW = 16, COPIED_BYTES = 1024 };

COP_MESSAGE_WITH(data, { cop_buffer *buffer; }, cop_buffer_drop);
COP_MESSAGE(block, { long number[COPIED_BYTES / sizeof(long)]; });
COP_MESSAGE(acknowledge, COP_EMPTY);
COP_MESSAGE(received, { long count; });

enum kind { SHARED, FRESH, COPY };

struct stream {
    const char *figure;
    enum kind kind;
    size_t size;
    long messages;
};

static void check_buffer(const struct stream *stream, const cop_buffer *buffer, int64_t i)
{
    const unsigned char *bytes = cop_buffer_bytes(buffer);
    bench_check(cop_buffer_size(buffer) == stream->size && bytes[stream->size - 1] == 7);
    if (stream->kind == FRESH)
        bench_check(memcmp(bytes, &i, sizeof i) == 0);
}

static void receiver(void *argument)
{
    const struct stream *stream = argument;
    for (int64_t i = 1; i <= stream->messages; i++) {
        const cop_message *message = cop_receive(COP_INFINITY);
        if (stream->kind == COPY) {
            const long *number = cop_expect(message, block)->number;
            bench_check(number[0] == i && number[COPIED_BYTES / sizeof(long) - 1] == 7);
        } else {
            check_buffer(stream, cop_expect(message, data)->buffer, i);
        }
        if (i % WINDOW == 0)
            cop_send(cop_parent(), acknowledge);
    }
    cop_send(cop_parent(), received, .count = stream->messages);
}

static void send_all(cop_pid to, const struct stream *stream, unsigned char *template_)
{
    cop_buffer *whole = cop_buffer_new(template_, stream->size);
    for (int64_t i = 1; i <= stream->messages; i++) {
        if (stream->kind == SHARED) {
            cop_send(to, data, .buffer = cop_buffer_ref(whole));
        } else {
            memcpy(template_, &i, sizeof i);
            if (stream->kind == FRESH)
                cop_send(to, data, .buffer = cop_buffer_new(template_, stream->size));
            else
                cop_send_message(cop_to(to), cop_message_new(COP_TYPE(block), template_, 0));
        }
        if (i % WINDOW == 0)
            cop_receive_type(acknowledge, COP_INFINITY);
    }
    bench_check(cop_receive_type(received, COP_INFINITY)->count == stream->messages);
    cop_buffer_unref(whole);
}

static struct figures stream_all(void *context)
{
    const struct stream *stream = context;
    /* aligned for the longs of a block */
    unsigned char *template_ = malloc(stream->size);
    bench_check(template_ != NULL);
    memset(template_, 7, stream->size);
    if (stream->kind == COPY)
        ((long *)(void *)template_)[COPIED_BYTES / sizeof(long) - 1] = 7;
    cop_pid to = cop_spawn_link(receiver, stream, sizeof *stream);
    int64_t start = bench_now();
    send_all(to, stream, template_);
    int64_t time = bench_now() - start;
    free(template_);
    double megabytes = (double)stream->messages * (double)stream->size / 1e6;
    return (struct figures){ 1, { { stream->figure, megabytes / ((double)time / 1e9), "MB/s",
                                    stream->messages } } };
}

void case_payload(void)
{
    static const struct stream streams[] = {
        { "shared.1k", SHARED, 1024, 200000 },   { "shared.64k", SHARED, 65536, 200000 },
        { "shared.1m", SHARED, 1048576, 200000 }, { "fresh.1k", FRESH, 1024, 200000 },
        { "fresh.64k", FRESH, 65536, 8000 },     { "fresh.1m", FRESH, 1048576, 500 },
        { "copy.1k", COPY, COPIED_BYTES, 200000 },
    };
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        struct stream stream = streams[i];
        stream.messages = bench_scale(stream.messages) / WINDOW * WINDOW;
        bench_run("payload", (struct bench_options){ .budget_ms = 1000 }, stream_all, &stream);
    }
}
