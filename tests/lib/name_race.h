/* name_race.h - processes that start at once under one name. */
#ifndef TEST_NAME_RACE_H
#define TEST_NAME_RACE_H

/* A story: several start "prize" and report; all agree on the one that won.  Traces "one won". */
void race_for_a_name(void *argument);

#endif
