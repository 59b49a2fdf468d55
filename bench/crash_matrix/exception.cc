/* exception.cc - a C++ exception that no callback catches. */
#include "faults.h"

#include <stdexcept>

void fault_exception(void)
{
    throw std::runtime_error("nobody catches this");
}
