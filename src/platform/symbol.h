/* symbol.h - what lies at an address of code: function, file and line.
 *
 * Two sources.  The dynamic linker knows the modules that are loaded and the functions that they
 * export; it needs little stack and any thread may ask it.  The modules' symbol tables and debug
 * information, read from their files by libdw (elfutils) if the library was built with it, know
 * static functions and lines too; that takes COPI_SYMBOL_STACK bytes of stack, and one thread at a
 * time may ask.
 *
 * Neither reads the memory of the code that crashed.  Never in a signal handler. */
#ifndef COPI_SYMBOL_H
#define COPI_SYMBOL_H

#include <stdbool.h>
#include <stddef.h>

/* libdw 0.188 was seen to use 160 KiB. */
enum { COPI_SYMBOL_TEXT = 256, COPI_SYMBOL_STACK = 512 * 1024 };

struct symbol {
    char function[COPI_SYMBOL_TEXT];   /* "": not known */
    size_t offset;                     /* of the address in it */
    char file[COPI_SYMBOL_TEXT];       /* "": not known */
    int line;
    char module[COPI_SYMBOL_TEXT];     /* the program's or the library's file; "": not known */
    size_t module_offset;              /* as addr2line wants it */
};

/* Whether there is a second source. */
bool copi_symbol_has_debug(void);

/* From the dynamic linker: fills in all of it, file and line as not known. */
void copi_symbol_find(const void *address, struct symbol *ret_symbol);

/* From the debug information: adds to what the first one has found.  Modules stay mapped for the
 * next time, without a descriptor; a file of separate debug information keeps one. */
void copi_symbol_debug(const void *address, struct symbol *symbol);

#endif
