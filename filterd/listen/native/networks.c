/* See networks.h. */
#include "networks.h"

static uint64_t number_of(const uint8_t *octets, size_t size) {
    uint64_t number = 0;
    while (size--) number = number << 8 | *octets++;
    return number;
}

int stretches_have(const stretches *of, const uint8_t *address, size_t size) {
    uint64_t high = size > 8 ? number_of(address, 8) : 0;
    uint64_t low = size > 8 ? number_of(address + 8, size - 8) : number_of(address, size);
    size_t begin = 0, end = of->count; /* all before `begin` start at the address or below it */
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (of->high[middle] < high || (of->high[middle] == high && of->low[middle] <= low))
            begin = middle + 1;
        else
            end = middle;
    }
    return begin && of->inner[begin - 1] != 0;
}
