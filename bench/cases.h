/* cases.h - the benchmark cases; each is a function that runs in the first process. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

void case_spawn_exit(void);         /* process.c */
void case_pingpong(void);
void case_idle_plain(void);         /* idle.c */
void case_idle_gen_server(void);
void case_idle_supervised(void);
void case_gen_call(void);           /* gen_server.c */
void case_crash_sib0(void);         /* crash.c */

#endif
