"""One block of at most BLOCK elements: gather and widen, check, weight and mask, narrow and store, sum.

Everything is inlined into the driver of a geometry and compiled for its instruction set.
"""

from libc.stdint cimport uint16_t
from libc.string cimport memcpy, memset

from job cimport BFLOAT16, BLOCK, FLOAT16, FLOAT32, FLOAT64, MAX_AXES, Job, Operand

cdef extern from "losslib/core/scalar.h" namespace "losslib" nogil:
    float float_from_half(uint16_t bits)
    uint16_t half_from_float(float value)
    float float_from_bfloat16(uint16_t bits)
    uint16_t bfloat16_from_float(float value)

cdef extern from "losslib/simd/lanes.h" namespace "losslib" nogil:
    cppclass SixteenSums:
        void add[T](const T* x)
        void store(double* lane)

cdef extern from "losslib/simd/stream.h" namespace "losslib" nogil:
    const int stream_bytes
    void stream_vector(char* target, const char* source)
    void stream_fence()
    void prefetch(const char* address)
    int bytes_to_alignment(const char* target)

ctypedef fused real:
    float
    double

cdef enum:
    SUM_PART = 512      # values that are added up together before they join a sum


cdef inline bint is_native(const Operand* operand, real tag) noexcept nogil:
    """True if the operand lies in one piece in the type that the kernel computes in."""
    if real is float:
        return operand.contiguous and operand.type == FLOAT32
    else:
        return operand.contiguous and operand.type == FLOAT64


cdef inline Py_ssize_t item_size(int type) noexcept nogil:
    return 2 if type <= BFLOAT16 else (4 if type == FLOAT32 else (8 if type == FLOAT64 else 1))


# ---- runs: elements at a constant distance ---------------------------------------------------------------------

cdef inline void widen_run(const char* source, Py_ssize_t stride, int type, real* buffer, Py_ssize_t n) noexcept nogil:
    """buffer[i] = the element at source + i * stride."""
    cdef Py_ssize_t i
    cdef real constant
    if stride == 0:
        if type == FLOAT32:
            constant = <real>(<const float*>source)[0]
        elif type == FLOAT64:
            constant = <real>(<const double*>source)[0]
        elif type == FLOAT16:
            constant = <real>float_from_half((<const uint16_t*>source)[0])
        else:
            constant = <real>float_from_bfloat16((<const uint16_t*>source)[0])
        for i in range(n):
            buffer[i] = constant
    elif type == FLOAT32:
        if stride == sizeof(float):
            for i in range(n):
                buffer[i] = <real>(<const float*>source)[i]
        else:
            for i in range(n):
                buffer[i] = <real>(<const float*>(source + i * stride))[0]
    elif type == FLOAT64:
        if stride == sizeof(double):
            for i in range(n):
                buffer[i] = <real>(<const double*>source)[i]
        else:
            for i in range(n):
                buffer[i] = <real>(<const double*>(source + i * stride))[0]
    elif type == FLOAT16:
        if stride == sizeof(uint16_t):
            for i in range(n):
                buffer[i] = <real>float_from_half((<const uint16_t*>source)[i])
        else:
            for i in range(n):
                buffer[i] = <real>float_from_half((<const uint16_t*>(source + i * stride))[0])
    else:
        if stride == sizeof(uint16_t):
            for i in range(n):
                buffer[i] = <real>float_from_bfloat16((<const uint16_t*>source)[i])
        else:
            for i in range(n):
                buffer[i] = <real>float_from_bfloat16((<const uint16_t*>(source + i * stride))[0])


cdef inline void narrow_run(const real* buffer, char* target, Py_ssize_t stride, int type, Py_ssize_t n) noexcept nogil:
    """The element at target + i * stride = buffer[i], rounded to nearest even."""
    cdef Py_ssize_t i
    if type == FLOAT32:
        if stride == sizeof(float):
            for i in range(n):
                (<float*>target)[i] = <float>buffer[i]
        else:
            for i in range(n):
                (<float*>(target + i * stride))[0] = <float>buffer[i]
    elif type == FLOAT64:
        if stride == sizeof(double):
            for i in range(n):
                (<double*>target)[i] = <double>buffer[i]
        else:
            for i in range(n):
                (<double*>(target + i * stride))[0] = <double>buffer[i]
    elif type == FLOAT16:
        if stride == sizeof(uint16_t):
            for i in range(n):
                (<uint16_t*>target)[i] = half_from_float(<float>buffer[i])
        else:
            for i in range(n):
                (<uint16_t*>(target + i * stride))[0] = half_from_float(<float>buffer[i])
    else:
        if stride == sizeof(uint16_t):
            for i in range(n):
                (<uint16_t*>target)[i] = bfloat16_from_float(<float>buffer[i])
        else:
            for i in range(n):
                (<uint16_t*>(target + i * stride))[0] = bfloat16_from_float(<float>buffer[i])


cdef inline void copy_bytes_run(const char* source, Py_ssize_t stride, unsigned char* buffer,
                                Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        buffer[i] = (<const unsigned char*>(source + i * stride))[0]


# ---- walking an operand of any strides -------------------------------------------------------------------------

cdef struct Cursor:
    Py_ssize_t index[64]
    Py_ssize_t offset    # in bytes


cdef inline void seek(Cursor* cursor, const Job* job, const Operand* operand, Py_ssize_t start) noexcept nogil:
    """Place the cursor on the element with this number."""
    cdef Py_ssize_t rest = start
    cdef int axis = job.axes - 1
    cursor.offset = 0
    while axis >= 0:
        cursor.index[axis] = rest % job.shape[axis]
        rest = rest // job.shape[axis]
        cursor.offset += cursor.index[axis] * operand.strides[axis]
        axis -= 1


cdef inline void advance(Cursor* cursor, const Job* job, const Operand* operand, Py_ssize_t run) noexcept nogil:
    """Move by a run that does not leave the last axis, carrying into the axes before it."""
    cdef int axis = job.axes - 1
    cursor.index[axis] += run
    cursor.offset += run * operand.strides[axis]
    while axis > 0 and cursor.index[axis] == job.shape[axis]:
        cursor.offset -= cursor.index[axis] * operand.strides[axis]
        cursor.index[axis] = 0
        axis -= 1
        cursor.index[axis] += 1
        cursor.offset += operand.strides[axis]


cdef inline Py_ssize_t run_length(const Cursor* cursor, const Job* job, Py_ssize_t wanted) noexcept nogil:
    cdef Py_ssize_t rest = job.shape[job.axes - 1] - cursor.index[job.axes - 1]
    return wanted if wanted < rest else rest


cdef inline const real* load(const Job* job, const Operand* operand, Py_ssize_t start, Py_ssize_t n,
                             real* buffer) noexcept nogil:
    """Return where the elements start … start + n stand as `real`: in the array itself if possible, else in buffer."""
    cdef Cursor cursor
    cdef Py_ssize_t done = 0, run
    if is_native(operand, <real>0):
        return <const real*>operand.data + start
    if operand.contiguous:
        run = item_size(operand.type)
        widen_run(operand.data + start * run, run, operand.type, buffer, n)
        return buffer
    seek(&cursor, job, operand, start)
    while done < n:
        run = run_length(&cursor, job, n - done)
        widen_run(operand.data + cursor.offset, operand.strides[job.axes - 1], operand.type, buffer + done, run)
        advance(&cursor, job, operand, run)
        done += run
    return buffer


cdef inline void prefetch_block(const Operand* operand, Py_ssize_t start) noexcept nogil:
    """Ask for the BLOCK elements from `start` on, if they lie in one piece; the end of the array does not matter."""
    cdef Py_ssize_t size = item_size(operand.type), line = start * size
    if operand.contiguous:
        while line < (start + BLOCK) * size:
            prefetch(operand.data + line)
            line += 64


cdef inline const unsigned char* load_mask(const Job* job, Py_ssize_t start, Py_ssize_t n,
                                           unsigned char* buffer) noexcept nogil:
    cdef Cursor cursor
    cdef Py_ssize_t done = 0, run
    if job.mask.contiguous:
        return <const unsigned char*>job.mask.data + start
    seek(&cursor, job, &job.mask, start)
    while done < n:
        run = run_length(&cursor, job, n - done)
        copy_bytes_run(job.mask.data + cursor.offset, job.mask.strides[job.axes - 1], buffer + done, run)
        advance(&cursor, job, &job.mask, run)
        done += run
    return buffer


cdef inline void stream(char* target, const char* source, Py_ssize_t length) noexcept nogil:
    """Copy bytes past the caches, whole vectors at aligned addresses; the ends ordinarily."""
    cdef Py_ssize_t done = min(<Py_ssize_t>bytes_to_alignment(target), length)
    memcpy(target, source, done)
    while done + stream_bytes <= length:
        stream_vector(target + done, source + done)
        done += stream_bytes
    memcpy(target + done, source + done, length - done)


cdef inline void store(const Job* job, const Operand* operand, Py_ssize_t start, Py_ssize_t n,
                       const real* buffer) noexcept nogil:
    """Write the elements start … start + n of an output."""
    cdef Cursor cursor
    cdef Py_ssize_t done = 0, run
    if is_native(operand, <real>0):
        if job.streaming:
            stream(<char*>(<real*>operand.data + start), <const char*>buffer, n * sizeof(real))
        else:
            memcpy(<real*>operand.data + start, buffer, n * sizeof(real))
        return
    if operand.contiguous:
        run = item_size(operand.type)
        narrow_run(buffer, operand.data + start * run, run, operand.type, n)
        return
    seek(&cursor, job, operand, start)
    while done < n:
        run = run_length(&cursor, job, n - done)
        narrow_run(buffer + done, operand.data + cursor.offset, operand.strides[job.axes - 1], operand.type, run)
        advance(&cursor, job, operand, run)
        done += run


cdef inline real* row_from(real* row, Py_ssize_t start) noexcept nogil:
    """Return where the row goes on from element `start`; NULL for a row that is not wanted."""
    if row == NULL:
        return NULL
    return row + start


# ---- arithmetic on a block -------------------------------------------------------------------------------------

cdef inline void multiply(real* values, const real* factor, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        values[i] = values[i] * factor[i]


cdef inline void clear_masked(real* values, const unsigned char* mask, Py_ssize_t n) noexcept nogil:
    """A masked-out element is 0, whatever was computed for it (its input may be NaN)."""
    cdef Py_ssize_t i
    for i in range(n):
        values[i] = values[i] if mask[i] else <real>0


cdef inline double sum_block(const real* values, Py_ssize_t n) noexcept nogil:
    """Sum in float64 over 16 lanes, combined pairwise: the order depends on n alone."""
    cdef double[16] lane
    cdef SixteenSums sums
    cdef Py_ssize_t i = 0
    cdef int k
    while i + 16 <= n:
        sums.add(values + i)
        i += 16
    sums.store(lane)
    for k in range(<int>(n - i)):
        lane[k] += <double>values[i + k]
    return combine(lane)


cdef inline double combine(double* lane) noexcept nogil:
    """Add 16 lanes pairwise."""
    cdef int k
    for k in range(8):      # constant lengths: unrolled, where a loop over widths takes longer than a short block
        lane[k] += lane[k + 8]
    for k in range(4):
        lane[k] += lane[k + 4]
    return (lane[0] + lane[2]) + (lane[1] + lane[3])


cdef inline double sum_values(const double* values, Py_ssize_t n) noexcept nogil:
    """Sum of one value a sample, over parts of SUM_PART: whoever adds up the parts, the bits depend on n alone."""
    cdef double[16] lane
    cdef Py_ssize_t part, parts = (n + SUM_PART - 1) // SUM_PART
    memset(lane, 0, sizeof(lane))
    for part in range(parts):
        lane[part & 15] += sum_block(values + part * SUM_PART, min(<Py_ssize_t>SUM_PART, n - part * SUM_PART))
    return combine(lane)


cdef inline double add_parts(const double* sums, Py_ssize_t parts) noexcept nogil:
    """What `sum_values` returns, from the sum of each part."""
    cdef double[16] lane
    cdef Py_ssize_t part
    memset(lane, 0, sizeof(lane))
    for part in range(parts):
        lane[part & 15] += sums[part]
    return combine(lane)


cdef inline bint leaves_domain(const real* values, const unsigned char* mask, bint masked, int domain,
                               Py_ssize_t n) noexcept nogil:
    """True if an element that counts lies outside the domain (codes of `Domain`); NaN does not."""
    cdef Py_ssize_t i
    cdef int bad = 0, outside
    if not masked:
        # One loop per domain, without the mask: this is the case that must run at memory speed.
        if domain == 1:
            for i in range(n):
                bad |= values[i] < 0
        elif domain == 2:
            for i in range(n):
                bad |= values[i] <= 0
        elif domain == 3:
            for i in range(n):
                bad |= (values[i] < 0) | (values[i] > 1)
        elif domain == 4:
            for i in range(n):
                bad |= (values[i] != -1) & (values[i] != 1) & (values[i] == values[i])
        elif domain == 5:
            for i in range(n):
                bad |= values[i] <= -1
        elif domain == 6:
            for i in range(n):
                bad |= (values[i] != 0) & (values[i] != 1) & (values[i] == values[i])
        return bad != 0
    for i in range(n):
        if domain == 1:
            outside = values[i] < 0
        elif domain == 2:
            outside = values[i] <= 0
        elif domain == 3:
            outside = (values[i] < 0) | (values[i] > 1)
        elif domain == 4:
            outside = (values[i] != -1) & (values[i] != 1) & (values[i] == values[i])
        elif domain == 5:
            outside = values[i] <= -1
        else:
            outside = (values[i] != 0) & (values[i] != 1) & (values[i] == values[i])
        bad |= outside & (mask[i] != 0)
    return bad != 0
