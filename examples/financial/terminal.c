/* terminal.c - writing to standard output, which may be a terminal. */
#include "terminal.h"

#include <assert.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { USUAL_WIDTH = 80, LEAST_WIDTH = 20 };

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && value[0] != '\0';
}

void terminal_open(struct terminal *terminal)
{
    const char *kind = getenv("TERM");
    setlocale(LC_CTYPE, "");
    setvbuf(stdout, NULL, _IOFBF, BUFSIZ);      /* flush() alone decides when to write */
    *terminal = (struct terminal){ .live = false };
    terminal->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    terminal->live = isatty(STDOUT_FILENO) && kind != NULL && kind[0] != '\0' &&
                     strcmp(kind, "dumb") != 0;
    terminal->colour = terminal->live && !is_set("NO_COLOR");
}

size_t terminal_width(const struct terminal *terminal)
{
    struct winsize size;
    if (!terminal->live) return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return USUAL_WIDTH;
    return size.ws_col < LEAST_WIDTH ? LEAST_WIDTH : size.ws_col;
}

/* ---- bytes ----------------------------------------------------------------------------- */

/* After an error nothing more is written. */
static void write_bytes(struct terminal *terminal, const char *text, size_t length)
{
    if (terminal->error != 0 || length == 0) return;
    errno = 0;
    if (fwrite(text, 1, length, stdout) != length) terminal->error = errno != 0 ? errno : EIO;
}

static void write_text(struct terminal *terminal, const char *text)
{
    write_bytes(terminal, text, strlen(text));
}

static void flush(struct terminal *terminal)
{
    if (terminal->error != 0) return;
    errno = 0;
    if (fflush(stdout) != 0) terminal->error = errno != 0 ? errno : EIO;
}

/* ---- lines ----------------------------------------------------------------------------- */

/* Columns of the first `length` bytes: UTF-8 goes on in bytes 10xxxxxx. */
static size_t columns(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++) count += (text[i] & 0xC0) != 0x80;
    return count;
}

/* Switches the terminal to the style of what follows. */
static void set_style(struct terminal *terminal, enum style style)
{
    static const char *const codes[] = {
        [PLAIN] = "\033[0m", [BOLD] = "\033[0;1m", [DIM] = "\033[0;2m",
        [RED] = "\033[0;31m", [GREEN] = "\033[0;32m", [YELLOW] = "\033[0;33m",
    };
    if (!terminal->colour || terminal->style == style) return;
    terminal->style = style;
    write_text(terminal, codes[style]);
}

static void put_bytes(struct terminal *terminal, enum style style, const char *text, size_t length)
{
    if (length == 0) return;
    terminal_status_clear(terminal);
    set_style(terminal, style);
    write_bytes(terminal, text, length);
    terminal->column += columns(text, length);
}

void terminal_put(struct terminal *terminal, enum style style, const char *text)
{
    put_bytes(terminal, style, text, strlen(text));
}

void terminal_put_padded(struct terminal *terminal, enum style style, const char *text,
                         size_t width)
{
    terminal_put(terminal, style, text);
    for (size_t used = columns(text, strlen(text)); used < width; used++) {
        put_bytes(terminal, PLAIN, " ", 1);
    }
}

static void new_line(struct terminal *terminal)
{
    set_style(terminal, PLAIN);
    write_text(terminal, "\n");
    terminal->column = 0;
}

void terminal_put_words(struct terminal *terminal, enum style style, const char *text,
                        size_t indent)
{
    size_t width = terminal_width(terminal);
    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");
        size_t space = terminal->column > indent;
        if (space == 1 && width != 0 &&
            terminal->column + space + columns(text, length) > width) {
            new_line(terminal);
            space = 0;
        }
        if (space == 1) put_bytes(terminal, style, " ", 1);
        while (terminal->column < indent) put_bytes(terminal, PLAIN, " ", 1);
        put_bytes(terminal, style, text, length);
        text += length;
    }
}

void terminal_end_line(struct terminal *terminal)
{
    terminal_status_clear(terminal);
    new_line(terminal);
    flush(terminal);
}

/* ---- the status line ------------------------------------------------------------------- */

void terminal_status_begin(struct terminal *terminal)
{
    assert(terminal->live && terminal->column == 0);
    terminal_status_clear(terminal);
}

void terminal_status_end(struct terminal *terminal)
{
    set_style(terminal, PLAIN);
    terminal->column = 0;
    terminal->has_status = true;
    flush(terminal);
}

void terminal_status_clear(struct terminal *terminal)
{
    if (!terminal->has_status) return;
    terminal->has_status = false;
    write_text(terminal, "\r\033[K");
}
