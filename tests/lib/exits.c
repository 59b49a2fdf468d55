/* exits.c - a failed assertion ends the test, also when a process of Coppice made it: Check's calls
 * exit, which would else end that process alone. */
#include <coppice/runtime.h>

__attribute__((constructor)) static void let_exit_end_the_test(void)
{
    cop_exit_ends_program(true);
}
