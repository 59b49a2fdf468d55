/* symbol.c - symbol.h by the dynamic linker and libdw. */
#define _GNU_SOURCE
#include "symbol.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void set(char text[COPI_SYMBOL_TEXT], const char *value)
{
    snprintf(text, COPI_SYMBOL_TEXT, "%s", value == NULL ? "" : value);
}

void copi_symbol_find(const void *address, struct symbol *ret_symbol)
{
    Dl_info info;
    struct link_map *map = NULL;
    ret_symbol->function[0] = ret_symbol->file[0] = ret_symbol->module[0] = '\0';
    ret_symbol->offset = ret_symbol->module_offset = 0;
    ret_symbol->line = 0;
    if (dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) == 0)
        return;
    set(ret_symbol->module, info.dli_fname);
    ret_symbol->module_offset = (uintptr_t)address - (map == NULL ? 0 : map->l_addr);
    if (info.dli_sname != NULL) {
        set(ret_symbol->function, info.dli_sname);
        ret_symbol->offset = (size_t)((const char *)address - (const char *)info.dli_saddr);
    }
}

#ifndef COPI_HAVE_LIBDW

bool copi_symbol_has_debug(void)
{
    return false;
}

void copi_symbol_debug(const void *address, struct symbol *symbol)
{
    (void)address;
    (void)symbol;
}

#else

#include <elfutils/libdwfl.h>

#include "../base/scarcity.h"

bool copi_symbol_has_debug(void)
{
    return true;
}

/* A module's file was opened when the module was added (add_module). */
static int find_elf(Dwfl_Module *module, void **elf, const char *name, Dwarf_Addr base,
                    char **ret_file, Elf **ret_elf)
{
    (void)module;
    (void)name;
    (void)base;
    *ret_file = NULL;
    *ret_elf = *elf;
    *elf = NULL;                     /* it is libdw's from now on */
    return -1;
}

/* Separate debug information is looked for by build id on this machine alone: the standard way
 * would also ask a server of the network for it, which takes as long as it takes. */
static int find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
                          const char *path, const char *link, GElf_Word crc, char **ret_file)
{
    int file =
        dwfl_build_id_find_debuginfo(module, userdata, name, base, path, link, crc, ret_file);
    if (file >= 0)
        fcntl(file, F_SETFD, FD_CLOEXEC);
    return file;
}

static char *debuginfo_path;

static const Dwfl_Callbacks callbacks = {
    .find_elf = find_elf,
    .find_debuginfo = find_debuginfo,
    .debuginfo_path = &debuginfo_path,
};

/* The modules that were asked for so far. */
static Dwfl *modules;

/* A module's file, mapped: no descriptor stays open for it.  The program's own may have been
 * replaced or have a relative name. */
static Elf *open_module(const struct link_map *map, const char *name)
{
    if (copi_is_refused(SCARCE_DESCRIPTOR))
        return NULL;
    int file = open(map->l_name[0] == '\0' ? "/proc/self/exe" : name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return NULL;
    Elf *elf = elf_begin(file, ELF_C_READ_MMAP_PRIVATE, NULL);
    if (elf != NULL && (elf_kind(elf) != ELF_K_ELF || elf_cntl(elf, ELF_C_FDREAD) != 0)) {
        elf_end(elf);
        elf = NULL;
    }
    close(file);
    return elf;
}

/* Where its segments lie, before it was moved to where it is loaded. */
static bool extent_of(Elf *elf, GElf_Addr *ret_low, GElf_Addr *ret_high)
{
    size_t count;
    GElf_Phdr segment;
    bool found = false;
    if (elf_getphdrnum(elf, &count) != 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (gelf_getphdr(elf, (int)i, &segment) == NULL || segment.p_type != PT_LOAD)
            continue;
        if (!found)
            *ret_low = segment.p_vaddr & ~(GElf_Addr)(segment.p_align - 1);
        *ret_high = segment.p_vaddr + segment.p_memsz;
        found = true;
    }
    return found;
}

static Dwfl_Module *add_module(const struct link_map *map, const char *name)
{
    GElf_Addr low, high;
    void **userdata;
    Elf *elf = open_module(map, name);
    if (elf == NULL || !extent_of(elf, &low, &high)) {
        elf_end(elf);
        return NULL;
    }
    dwfl_report_begin_add(modules);
    Dwfl_Module *module =
        dwfl_report_module(modules, name, map->l_addr + low, map->l_addr + high);
    if (module != NULL) {
        dwfl_module_info(module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
        *userdata = elf;
    } else {
        elf_end(elf);
    }
    dwfl_report_end(modules, NULL, NULL);
    return module;
}

static void forget_modules(void)
{
    dwfl_end(modules);
    modules = NULL;
}

/* The module that the dynamic linker has there now, which may not be the one that was there when
 * it was last asked for: then all are forgotten. */
static Dwfl_Module *module_at(const void *address)
{
    Dl_info info;
    struct link_map *map = NULL;
    if (dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 || map == NULL)
        return NULL;
    Dwfl_Module *module = modules == NULL ? NULL : dwfl_addrmodule(modules, (uintptr_t)address);
    if (module != NULL) {
        GElf_Addr bias;
        const char *known = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        if (strcmp(known, info.dli_fname) == 0 && dwfl_module_getelf(module, &bias) != NULL &&
            bias == map->l_addr)
            return module;
        forget_modules();
    }
    if (modules == NULL) {
        elf_version(EV_CURRENT);
        modules = dwfl_begin(&callbacks);
    }
    return modules == NULL ? NULL : add_module(map, info.dli_fname);
}

/* Looks through the whole symbol table. */
static void find_function(Dwfl_Module *module, Dwarf_Addr at, struct symbol *symbol)
{
    GElf_Off offset;
    GElf_Sym entry;
    const char *name = dwfl_module_addrinfo(module, at, &offset, &entry, NULL, NULL, NULL);
    if (name == NULL)
        return;
    set(symbol->function, name);
    symbol->offset = offset;
}

/* libdw goes by a table of all units' code (.debug_aranges), which clang does not make: then the
 * units are asked one after the other. */
static void find_line(Dwfl_Module *module, Dwarf_Addr at, struct symbol *symbol)
{
    Dwfl_Line *line = dwfl_module_getsrc(module, at);
    if (line != NULL) {
        set(symbol->file, dwfl_lineinfo(line, NULL, &symbol->line, NULL, NULL, NULL));
        return;
    }
    Dwarf_Addr bias = 0;
    Dwarf_Die *unit = dwfl_module_nextcu(module, NULL, &bias);
    while (unit != NULL && dwarf_haspc(unit, at - bias) != 1)
        unit = dwfl_module_nextcu(module, unit, &bias);
    Dwarf_Line *of_unit = unit == NULL ? NULL : dwarf_getsrc_die(unit, at - bias);
    if (of_unit != NULL && dwarf_lineno(of_unit, &symbol->line) == 0)
        set(symbol->file, dwarf_linesrc(of_unit, NULL, NULL));
}

void copi_symbol_debug(const void *address, struct symbol *symbol)
{
    Dwarf_Addr at = (uintptr_t)address;
    Dwfl_Module *module = module_at(address);
    if (module == NULL)
        return;
    if (symbol->function[0] == '\0')
        find_function(module, at, symbol);
    find_line(module, at, symbol);
}

#endif
