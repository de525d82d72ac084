/* Packed runs: what store/wal/packed_runs.py does, as loops over native integers. */

#include "packed_runs.h"

typedef struct { uint32_t items; uint8_t width, scale; uint8_t zero[2]; int64_t base; } Header;

#define HEADER_BYTES ((Py_ssize_t)sizeof(Header))

static uint64_t unit_of(uint8_t scale)
{
    switch (scale) {
    case 0: return 1;
    case SCALE_TICKS: return 100;
    case SCALE_HUNDREDTHS: return 10000;
    case SCALE_MILLISECONDS: return 1000000;
    default: return 0;
    }
}

/* Offsets divided by a unit that the compiler knows; 0 when there is a remainder. */
static inline int divide(uint64_t *offsets, size_t count, uint64_t unit)
{
    uint64_t left = 0;
    for (size_t i = 0; i < count; i++)
        left |= offsets[i] % unit;
    if (left != 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        offsets[i] /= unit;
    return 1;
}

static int in_units(uint64_t *offsets, size_t count, uint8_t scale)
{
    switch (scale) {
    case SCALE_TICKS: return divide(offsets, count, 100);
    case SCALE_HUNDREDTHS: return divide(offsets, count, 10000);
    case SCALE_MILLISECONDS: return divide(offsets, count, 1000000);
    default: return 0;
    }
}

static void store(char *out, const uint64_t *offsets, size_t count, uint8_t width)
{
#define STORE(type) \
    for (size_t i = 0; i < count; i++) { \
        type item = (type)offsets[i]; \
        memcpy(out + i * sizeof item, &item, sizeof item); \
    }
    switch (width) {
    case 1: STORE(uint8_t) break;
    case 2: STORE(uint16_t) break;
    case 4: STORE(uint32_t) break;
    default: STORE(uint64_t) break;
    }
#undef STORE
}

static PyObject *packed(Header header, const uint64_t *offsets)
{
    PyObject *made = PyBytes_FromStringAndSize(NULL, HEADER_BYTES + (Py_ssize_t)header.items * header.width);
    if (made == NULL)
        return NULL;
    memcpy(PyBytes_AS_STRING(made), &header, sizeof header);
    if (header.width > 0)
        store(PyBytes_AS_STRING(made) + HEADER_BYTES, offsets, header.items, header.width);
    return made;
}

PyObject *pack_run(int64_t *values, size_t count, uint8_t scale)
{
    int64_t lo = count > 0 ? values[0] : 0, hi = lo;
    if (count > UINT32_MAX)
        return PyErr_Format(PyExc_OverflowError, "a run holds fewer values");
    if (count > 1 && memcmp(values, values + 1, (count - 1) * sizeof *values) != 0)
        for (size_t i = 1; i < count; i++) {
            lo = values[i] < lo ? values[i] : lo;
            hi = values[i] > hi ? values[i] : hi;
        }
    Header header = {.items = (uint32_t)count, .base = lo};
    uint64_t *offsets = (uint64_t *)values; /* in place: nobody needs the values any more */
    if (lo == hi)
        return packed(header, offsets);
    if (lo == ABSENT) { /* beside a value nothing is near it */
        header.width = 8;
        header.base = 0;
        return packed(header, offsets);
    }
    for (size_t i = 0; i < count; i++)
        offsets[i] -= (uint64_t)lo;
    uint64_t span = (uint64_t)hi - (uint64_t)lo;
    if (in_units(offsets, count, scale)) {
        header.scale = scale;
        span /= unit_of(scale);
    }
    header.width = span <= UINT8_MAX ? 1 : span <= UINT16_MAX ? 2 : span <= UINT32_MAX ? 4 : 8;
    return packed(header, offsets);
}

/* The header of a run, -1 with ValueError for what is none. */
static int read_header(PyObject *run, Header *header)
{
    if (PyBytes_Check(run) && PyBytes_GET_SIZE(run) >= HEADER_BYTES) {
        memcpy(header, PyBytes_AS_STRING(run), sizeof *header);
        uint8_t width = header->width;
        if ((width <= 2 || width == 4 || width == 8) && unit_of(header->scale) != 0
            && PyBytes_GET_SIZE(run) - HEADER_BYTES == (Py_ssize_t)header->items * width)
            return 0;
    }
    PyErr_SetString(PyExc_ValueError, "this is no packed run");
    return -1;
}

#define SPREAD(from, to) \
    for (uint32_t i = 0; i < header.items; i++) { \
        from offset; \
        memcpy(&offset, in + i * sizeof offset, sizeof offset); \
        to value = (to)((uint64_t)header.base + (uint64_t)offset * unit); \
        memcpy(out + i * sizeof value, &value, sizeof value); \
    }

#define UNPACK(name, to) \
    static void name(Header header, const char *in, char *out) \
    { \
        uint64_t unit = unit_of(header.scale); \
        switch (header.width) { \
        case 1: SPREAD(uint8_t, to) break; \
        case 2: SPREAD(uint16_t, to) break; \
        case 4: SPREAD(uint32_t, to) break; \
        case 8: SPREAD(uint64_t, to) break; \
        default: \
            for (uint32_t i = 0; i < header.items; i++) { \
                to value = (to)header.base; \
                memcpy(out + i * sizeof value, &value, sizeof value); \
            } \
        } \
    }

UNPACK(unpack_8, int8_t)
UNPACK(unpack_32, int32_t)
UNPACK(unpack_64, int64_t)

PyObject *unpack_runs(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *runs;
    Py_ssize_t width, items = 0;
    Header header;
    if (!PyArg_ParseTuple(args, "On", &runs, &width))
        return NULL;
    if (width != 1 && width != 4 && width != 8)
        return PyErr_Format(PyExc_ValueError, "integers of 1, 4 or 8 bytes");
    PyObject *listed = PySequence_Tuple(runs); /* nobody else can change it */
    if (listed == NULL)
        return NULL;
    PyObject *made = NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(listed);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (read_header(PyTuple_GET_ITEM(listed, i), &header) < 0)
            goto done;
        items += header.items;
    }
    made = items > PY_SSIZE_T_MAX / 8 ? PyErr_NoMemory() : PyBytes_FromStringAndSize(NULL, items * width);
    if (made == NULL)
        goto done;
    char *out = PyBytes_AS_STRING(made);
    Py_BEGIN_ALLOW_THREADS /* a segment is sealed beside a recorder: nothing here is anybody else's yet */
    for (Py_ssize_t i = 0; i < count; i++) {
        const char *in = PyBytes_AS_STRING(PyTuple_GET_ITEM(listed, i));
        memcpy(&header, in, sizeof header);
        (width == 1 ? unpack_8 : width == 4 ? unpack_32 : unpack_64)(header, in + HEADER_BYTES, out);
        out += (Py_ssize_t)header.items * width;
    }
    Py_END_ALLOW_THREADS
done:
    Py_DECREF(listed);
    return made;
}
