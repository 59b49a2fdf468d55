/* applications.h - what the tests of applications share: how they tell, and three applications,
 * store <- shop <- site, each with a tree of one worker, a, b and c. */
#ifndef TEST_APPLICATIONS_H
#define TEST_APPLICATIONS_H

#include <coppice/coppice.h>

#include <stdio.h>
#include <string.h>

#include "worker.h"

/* ---- telling ------------------------------------------------------------------------- */

static inline void tell_report(const cop_log_event *event, void *context)
{
    (void)context;
    bool controllers = cop_pid_equal(event->supervisor, cop_whereis("application_controller"));
    if (cop_pid_is_none(event->supervisor) || !controllers) return;
    if (event->kind == COP_LOG_PROGRESS) trace("report: %s runs", event->child);
    else trace("report: %s: %s: %s", event->child, reason_text(event->reason), event->text);
}

static inline int run(cop_function *story)
{
    trace_reset();
    return cop_run(story, NULL, &(cop_run_options){ .deterministic = true, .log = tell_report });
}

static inline void expect(cop_function *story, const char *expected)
{
    ck_assert_int_eq(run(story), 0);
    trace_expect(expected);
}

static inline void trace_states(void)
{
    static const char *const states[] = { "loaded", "starting", "running", "stopping" };
    cop_application_info *infos;
    size_t count;
    char line[256] = "";
    ck_assert_int_eq(cop_application_which(&infos, &count), COP_OK);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(line);
        snprintf(line + length, sizeof line - length, " %s %s", infos[i].application->name,
                 states[infos[i].state]);
    }
    trace("which:%s", line);
    cop_free(infos);
}

static inline void load(const cop_application *application)
{
    ck_assert_int_eq(cop_application_load(application), COP_OK);
}

static inline void start(const char *name)
{
    trace_started(name, cop_application_start(name, COP_TEMPORARY));
}

static inline void stop(const char *name)
{
    trace("stop %s: %s", name, cop_error_name(cop_application_stop(name)));
}

/* ---- callbacks that tell --------------------------------------------------------------- */

static inline int told_phase(const cop_application *application, const char *phase)
{
    trace("%s: phase %s, %d tell each other", application->name, phase, is_up("a"));
    return strcmp(phase, "bad") == 0 ? COP_ENOMEM : COP_OK;
}

static inline void told_prep_stop(const cop_application *application)
{
    trace("%s: prep_stop", application->name);
}

static inline void told_stop(const cop_application *application)
{
    trace("%s: stop", application->name);
}

#define TELLING .prep_stop = told_prep_stop, .stop = told_stop

/* Three applications: store <- shop <- site; each with a tree of its own. */
static struct worker a = { .traps = true }, b = { .traps = true }, c = { .traps = true };
static const cop_child_spec store_children[] = { WORKER(a) };
static const cop_child_spec shop_children[] = { WORKER(b) };
static const cop_child_spec site_children[] = { WORKER(c) };
static const cop_supervisor store_top = { COP_CHILDREN(store_children), .name = "store_top" };
static const cop_supervisor shop_top = { COP_CHILDREN(shop_children), .name = "shop_top" };
static const cop_supervisor site_top = { COP_CHILDREN(site_children), .name = "site_top" };
static const char *const shop_needs[] = { "store", NULL };
static const char *const site_needs[] = { "shop", "store", NULL };
static const cop_application store = { .name = "store", .supervisor = &store_top };
static const cop_application shop = { .name = "shop", .supervisor = &shop_top,
                                      .applications = shop_needs };
static const cop_application site = { .name = "site", .supervisor = &site_top,
                                      .applications = site_needs };

/* One without a tree. */
static const cop_application library = { .name = "library", TELLING };

static inline void load_three(void)
{
    load(&site);
    load(&store);
    load(&shop);
}

#endif
