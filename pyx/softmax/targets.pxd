"""One look at the class indices beforehand: which samples count, their weight, the first that is no class."""

from libc.stdint cimport int64_t

from softmax.call cimport Rows, Scan, is_class, read_raw

cdef enum:
    SCAN = 4096     # samples whose weights are added before they join the sum; what one thread takes at a time
    RUN = 512       # indices that are looked at together


cdef inline Scan scan_part(const Rows* rows, Py_ssize_t first, Py_ssize_t stop, unsigned char* kept) noexcept nogil:
    """Look at the samples first … stop; kept, if not NULL, becomes 1 for those that count. `rows.keep` is a mask."""
    cdef Scan scan
    cdef int64_t[RUN] index
    cdef unsigned char[RUN] counted, wrong
    cdef double[4] lane
    cdef Py_ssize_t classes = rows.classes, n, i
    cdef int64_t ignored = rows.ignored
    cdef int count, wrongs, k
    scan.count = 0
    scan.bad = -1
    for k in range(4):
        lane[k] = 0.0
    while first < stop:
        n = min(<Py_ssize_t>RUN, stop - first)
        if rows.inner > 1:
            n = min(n, rows.inner - first % rows.inner)
        read_raw(rows, first, n, index)
        for i in range(n):
            counted[i] = is_class(index[i], classes)
            wrong[i] = not is_class(index[i], classes)
        if rows.ignoring:
            for i in range(n):
                counted[i] &= index[i] != ignored
                wrong[i] &= index[i] != ignored
        if rows.keep != NULL:
            for i in range(n):
                counted[i] &= rows.keep[first + i] != 0
                wrong[i] &= rows.keep[first + i] != 0
        count = 0
        wrongs = 0
        for i in range(n):
            count += counted[i]
            wrongs += wrong[i]
        scan.count += count
        if wrongs and scan.bad < 0:
            i = 0
            while not wrong[i]:
                i += 1
            scan.bad = first + i
        if rows.class_weight != NULL:
            for i in range(n):
                if counted[i]:
                    lane[i & 3] += rows.class_weight[index[i]]
        if kept != NULL:
            for i in range(n):
                kept[first + i] = counted[i]
        first += n
    scan.weight = (lane[0] + lane[2]) + (lane[1] + lane[3])
    return scan


cdef inline void scan_parts(const Rows* rows, unsigned char* kept, Scan* part, Py_ssize_t first,
                            Py_ssize_t stop) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(first, stop):
        part[k] = scan_part(rows, k * SCAN, min(rows.samples, (k + 1) * SCAN), kept)


cdef inline Scan add_up(const Rows* rows, const Scan* part, Py_ssize_t parts) noexcept nogil:
    cdef Scan whole
    cdef Py_ssize_t k
    whole.count = 0
    whole.weight = 0.0
    whole.bad = -1
    for k in range(parts):
        whole.count += part[k].count
        whole.weight += part[k].weight
        if whole.bad < 0:
            whole.bad = part[k].bad
    if rows.class_weight == NULL:
        whole.weight = <double>whole.count
    return whole
