/* cases.h - the benchmark cases; each is a function that runs in the first process. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

void case_spawn_exit(void);         /* process.c */
void case_pingpong(void);
void case_pingpong_cross(void);     /* cross.c */
void case_idle_plain(void);         /* idle.c */
void case_idle_handler(void);
void case_idle_gen_server(void);
void case_idle_supervised(void);
void case_gen_call(void);           /* gen_server.c */
void case_fan_in(void);             /* message.c */
void case_ring(void);               /* ring.c */
void case_threadring(void);
void case_selective(void);          /* selective.c */
void case_payload(void);            /* payload.c */
void case_skynet(void);             /* skynet.c */
void case_crash_sib0(void);         /* crash.c */
void case_crash_sib1000(void);
void case_crash_dyn100k(void);
void case_crash_hist_sib0(void);
void case_crash_hist_sib1000(void);
void case_one_for_all(void);        /* group.c */
void case_rest_for_one(void);
void case_dyn_start_c1(void);       /* dynamic.c */
void case_dyn_start_c8(void);
void case_dyn_start_part_c1(void);
void case_dyn_start_part_c8(void);
void case_dyn_stop(void);
void case_tree_start(void);         /* tree.c */
void case_tasks(void);              /* task.c */
void case_timers(void);             /* timer.c */
void case_timers_fire(void);
void case_registry(void);           /* registry.c */
void case_latency(void);            /* latency.c */

#endif
