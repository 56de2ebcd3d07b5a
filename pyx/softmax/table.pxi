# The kernels of the losses, by the names that declarations give.

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdlib cimport calloc

from softmax.call cimport (
    Kernel, MapDouble, MapFloat, Pick, PullDouble, PullFloat, RowDouble, RowFloat, TileDouble, TileFloat,
)
from softmax.divergence cimport row_distillation, row_jensen_shannon, tile_distillation, tile_jensen_shannon
from softmax.evidence cimport row_evidential
from softmax.logits cimport AnyMap, SoftCap, map_logits, pull_back
from softmax.noisy cimport row_bootstrap, row_normalized
from softmax.ordered cimport row_class_distance, row_earth_mover
from softmax.ordered_tiles cimport tile_class_distance, tile_earth_mover
from softmax.own cimport row_bi_tempered, row_categorical, row_sparsemax
from softmax.pick cimport (
    AnyPick, CrossEntropyPick, FocalPick, GeneralizedPick, PolyPick, SymmetricPick, picks_of,
)
from softmax.rows cimport row_cross_entropy, row_of_picks, row_symmetric
from softmax.shifts cimport (
    AngularShift, AnyShift, ClassShift, TargetShift, leave_as_is, seesaw_logits, shift_back, shift_logits,
)
from softmax.soft_tiles cimport tile_of_picks
from softmax.sparse cimport row_entmax

cdef dict _table = {}      # name -> capsule of a Kernel that stays for good


cdef Kernel* enter(const char* name, RowFloat float32, RowDouble float64) except NULL:
    """Enter a kernel by what it makes of a row with a distribution as target, or with a class as a row of 0 and 1."""
    cdef Kernel* kernel = <Kernel*>calloc(1, sizeof(Kernel))
    if kernel == NULL:
        raise MemoryError("no memory for the table of kernels")
    kernel.cost = 2.0
    kernel.float32 = float32
    kernel.float64 = float64
    _table[name.decode()] = PyCapsule_New(kernel, b"losslib.softmax_kernel", NULL)
    return kernel


cdef Kernel* take(double cost, Kernel* kernel) noexcept:
    """Note how long a kernel takes: nanoseconds of a float32 number, 2 by default."""
    kernel.cost = cost
    return kernel


cdef int enter_tile(Kernel* kernel, TileFloat tile32, TileDouble tile64) except -1:
    """Enter what a kernel makes of few classes against a class, samples side by side."""
    kernel.tile32 = tile32
    kernel.tile64 = tile64
    return 0


cdef int enter_soft(Kernel* kernel, TileFloat soft32, TileDouble soft64) except -1:
    """Enter what a kernel makes of few classes against a row, samples side by side."""
    kernel.soft32 = soft32
    kernel.soft64 = soft64
    return 0


cdef Kernel* register(const AnyPick* tag, const char* name) except NULL:
    """Enter a loss of the log-probability of a class."""
    cdef Kernel* kernel = enter(name, <RowFloat>row_of_picks[AnyPick, float], <RowDouble>row_of_picks[AnyPick, double])
    kernel.pick = <Pick>picks_of[AnyPick]
    enter_soft(kernel, <TileFloat>tile_of_picks[AnyPick, float], <TileDouble>tile_of_picks[AnyPick, double])
    return kernel


cdef Kernel* register_cross_entropy(const char* name) except NULL:
    cdef Kernel* kernel = enter(name, <RowFloat>row_cross_entropy[float], <RowDouble>row_cross_entropy[double])
    kernel.pick = <Pick>picks_of[CrossEntropyPick]
    kernel.linear = True
    enter_soft(kernel, <TileFloat>tile_of_picks[CrossEntropyPick, float],
               <TileDouble>tile_of_picks[CrossEntropyPick, double])
    return kernel


cdef Kernel* register_symmetric(const char* name) except NULL:
    cdef Kernel* kernel = enter(name, <RowFloat>row_symmetric[float], <RowDouble>row_symmetric[double])
    kernel.pick = <Pick>picks_of[SymmetricPick]
    enter_soft(kernel, <TileFloat>tile_of_picks[SymmetricPick, float], <TileDouble>tile_of_picks[SymmetricPick, double])
    return kernel


cdef int enter_given(const AnyPick* tag, const char* name) except -1:
    """Enter a loss of the log-probability of a class that reads log-probabilities."""
    cdef Kernel* kernel = enter(name, NULL, NULL)
    kernel.pick = <Pick>picks_of[AnyPick]
    kernel.given = True
    return 0


cdef int see(const AnyMap* tag, Kernel* kernel, int first_number) except -1:
    """Let a kernel see mapped logits; the numbers of the map follow those of the loss."""
    kernel.map32 = <MapFloat>map_logits[AnyMap, float]
    kernel.map64 = <MapDouble>map_logits[AnyMap, double]
    kernel.pull32 = <PullFloat>pull_back[AnyMap, float]
    kernel.pull64 = <PullDouble>pull_back[AnyMap, double]
    kernel.map_numbers = first_number
    return 0


cdef int see_shifted(const AnyShift* tag, Kernel* kernel) except -1:
    """Let a kernel see shifted logits; all numbers are those of the shift."""
    kernel.map32 = <MapFloat>shift_logits[AnyShift, float]
    kernel.map64 = <MapDouble>shift_logits[AnyShift, double]
    kernel.pull32 = <PullFloat>shift_back[AnyShift, float]
    kernel.pull64 = <PullDouble>shift_back[AnyShift, double]
    return 0


cdef int see_seesaw(Kernel* kernel) except -1:
    kernel.map32 = <MapFloat>seesaw_logits[float]
    kernel.map64 = <MapDouble>seesaw_logits[double]
    kernel.pull32 = <PullFloat>leave_as_is[float]
    kernel.pull64 = <PullDouble>leave_as_is[double]
    return 0


cdef const Kernel* kernel_named(str name) except NULL:
    return <const Kernel*>PyCapsule_GetPointer(_table[name], b"losslib.softmax_kernel")


register_cross_entropy(b"cross_entropy")
see[SoftCap](NULL, take(5.0, register_cross_entropy(b"capped_cross_entropy")), 0)
see_shifted[ClassShift](NULL, take(5.0, register_cross_entropy(b"class_shift")))
see_shifted[TargetShift](NULL, take(5.0, register_cross_entropy(b"target_shift")))
see_shifted[AngularShift](NULL, take(5.0, register_cross_entropy(b"angular_shift")))
see_seesaw(take(10.0, register_cross_entropy(b"seesaw")))
enter_given[CrossEntropyPick](NULL, b"nll")
take(40.0, register[FocalPick](NULL, b"focal"))
register[PolyPick](NULL, b"poly1")
register[GeneralizedPick](NULL, b"generalized")
register_symmetric(b"symmetric")
take(10.0, enter(b"categorical_cross_entropy", <RowFloat>row_categorical[float], <RowDouble>row_categorical[double]))
take(300.0, enter(b"bi_tempered", <RowFloat>row_bi_tempered[float], <RowDouble>row_bi_tempered[double]))
take(17.0, enter(b"sparsemax", <RowFloat>row_sparsemax[float], <RowDouble>row_sparsemax[double]))
take(20.0, enter(b"entmax", <RowFloat>row_entmax[float], <RowDouble>row_entmax[double]))
take(14.0, enter(b"bootstrap", <RowFloat>row_bootstrap[float], <RowDouble>row_bootstrap[double]))
take(9.0, enter(b"normalized", <RowFloat>row_normalized[float], <RowDouble>row_normalized[double]))
take(130.0, enter(b"evidential", <RowFloat>row_evidential[float], <RowDouble>row_evidential[double]))
enter_tile(take(4.0, enter(b"earth_mover", <RowFloat>row_earth_mover[float], <RowDouble>row_earth_mover[double])),
           <TileFloat>tile_earth_mover[float], <TileDouble>tile_earth_mover[double])
enter_tile(take(6.0, enter(b"class_distance", <RowFloat>row_class_distance[float],
                           <RowDouble>row_class_distance[double])),
           <TileFloat>tile_class_distance[float], <TileDouble>tile_class_distance[double])
enter_soft(take(5.0, enter(b"js_div", <RowFloat>row_jensen_shannon[float], <RowDouble>row_jensen_shannon[double])),
           <TileFloat>tile_jensen_shannon[float], <TileDouble>tile_jensen_shannon[double])
enter_soft(take(3.0, enter(b"distillation", <RowFloat>row_distillation[float], <RowDouble>row_distillation[double])),
           <TileFloat>tile_distillation[float], <TileDouble>tile_distillation[double])
