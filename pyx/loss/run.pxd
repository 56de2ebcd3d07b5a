"""Running a job: its tasks' sums, on the stack where they are few, and the rules for large arrays."""

from libc.stdlib cimport free, malloc

from job cimport TASK, Geometry, Job, Partial

cdef enum:
    PREFETCHING = 524288  # bytes of an input from which blocks are asked for ahead
    STREAMING = 16777216  # bytes of an output from which it is stored past the caches
    STACK_TASKS = 64     # partial sums that need no allocation: up to a million elements

# The driver of the chosen instruction set. Costs in the kernel table are those of float32 on v3; the baseline has half
# of its lanes and no fused multiply-add.
cdef struct Environment:
    Geometry* pointwise
    double isa_factor


cdef inline double sum_pairwise(const Partial* partials, Py_ssize_t n) noexcept nogil:
    """Add the sums of the tasks in a tree over their order, which no schedule changes."""
    cdef Py_ssize_t half
    if n == 1:
        return partials[0].sum
    if n == 0:
        return 0.0
    half = n // 2
    return sum_pairwise(partials, half) + sum_pairwise(partials + half, n - half)


cdef inline int run(Environment* here, Job* job, double* total) except -1:
    """Run the job and add up its tasks; return the bits of the inputs that left their domain."""
    cdef Py_ssize_t tasks = (job.size + TASK - 1) // TASK, i
    cdef Partial[STACK_TASKS] few
    cdef Partial* partials = few
    cdef int violations = 0
    if tasks > STACK_TASKS:
        partials = <Partial*>malloc(tasks * sizeof(Partial))
        if partials == NULL:
            raise MemoryError(f"no memory for the partial sums of {job.size} elements")
    job.partials = partials
    job.cost = job.kernels.cost * here.isa_factor * job.size * (2.0 if job.double_precision else 1.0)
    job.prefetching = job.size * (8 if job.double_precision else 4) >= PREFETCHING
    job.streaming = job.size * (8 if job.double_precision else 4) >= STREAMING
    here.pointwise.run(job)
    total[0] = sum_pairwise(partials, tasks)
    for i in range(tasks):
        violations |= partials[i].violations
    if partials != few:
        free(partials)
    return violations
