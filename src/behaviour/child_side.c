/* child_side.c - what a child says to its supervisor, and the messages that it gets from it. */
#include <coppice/child.h>
#include <coppice/process.h>

#include "request.h"

const cop_message_type cop_type_cop_ready_message = {
    "cop_ready_message", sizeof(cop_ready_message), NULL };
const cop_message_type cop_type_cop_drain_message = {
    "cop_drain_message", sizeof(cop_drain_message), NULL };
const cop_message_type cop_type_cop_probe_message = {
    "cop_probe_message", sizeof(cop_probe_message), NULL };

void cop_ready(void)
{
    cop_send(cop_parent(), cop_ready_message, 0);
}

void cop_probe_answer(const cop_message *probe)
{
    cop_cast(probe->from, copi_alive, 0);
}
