/* code_begin.c - the first of the library's objects: its code begins here (interrupt.h). */
void copi_code_begin(void);
void copi_code_begin(void)
{
}
