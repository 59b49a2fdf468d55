/* code_end.c - the last of the library's objects: its code ends here (interrupt.h). */
void copi_code_end(void);
void copi_code_end(void)
{
}
