# The table of operations: the loops of each by the name that a tape has for it, which ends in its form.

from formula.loops cimport (
    binary, binary_sv, binary_vs, choice, choice_vsss, choice_vssv, choice_vsvs, choice_vsvv, choose, choose_vss,
    choose_vsv, choose_vvs, clamp_vss, extreme, extreme_vsss, extreme_vssv, extreme_vsvs,
    extreme_vvsv, extreme_vvvs, fill, log_cosh_tanh_of, logistic_of, multiplying, multiplying_vss, multiplying_vsv,
    multiplying_vvs, of_products, of_products_vsvs, of_products_vsvv, of_products_vvvs, product, product_add_vvss,
    product_ss, product_vss, product_vvs, ratio_svss, ratio_vvss, ratio_vvsv, sigmoids_of, trigonometric, unary,
)
from formula.operations cimport (
    Absolute, Add, Affine, And, Binary, Choice, ChooseGreater, ChooseGreaterEqual, ChooseLess, ChooseLessEqual,
    ChooseWithin, ChooseWithinOrAt, Copy, Cosh, Cosine, DifferenceOfProducts, Digamma, Divide, Doubles, Equal, Erf,
    Exp, Expm1, Floats, Greater, GreaterEqual, Less, LessEqual, Log, Log1p, LogGamma, LogOfCosh, Maximum, Minimum,
    Multiply, MultiplyAdd, Multiplying, MultiplySubtract, Negative, Not, NotEqual, OfProducts, Or, Power,
    RootOfOnePlusMinusOne, Scalable, Sigmoid, Sign, Signed, Sine, Sinh, Softplus, SquareRoot, Subtract,
    SubtractProduct, SumOfProducts, Tanh, Tetragamma, Trigamma, Unary,
)
from formula.scaled cimport (
    affine, choice_product_vsvss, choice_product_vsvvs, kept_product_vsvss, kept_product_vsvvs, scaled_choice_vssss,
    scaled_choice_vssvs, scaled_choice_vsvss, scaled_choice_vsvvs, scaled_choice_vvvvs, scaled_clamp_vsss,
    scaled_extreme_vssss, scaled_extreme_vssvs, scaled_extreme_vsvss, scaled_extreme_vvsvs,
    scaled_extreme_vvvss, scaled_extreme_vvvvs, scaled_multiplying_vsss, scaled_multiplying_vsvs,
    scaled_multiplying_vvss, scaled_multiplying_vvvs, scaled_of_products_vsvss, scaled_of_products_vsvvs,
    scaled_of_products_vvvss, scaled_of_products_vvvvs, scaled_ratio_vvsss, scaled_signed_vss, scaled_signed_vvs,
    scaled_svs, scaled_svv, scaled_vss, scaled_vsv, scaled_vvs, scaled_vvv,
)

ctypedef void (*LoopFloat)(const void*, Floats, Floats, Floats, Floats, Floats, Floats, Py_ssize_t) noexcept nogil
ctypedef void (*LoopDouble)(const void*, Doubles, Doubles, Doubles, Doubles, Doubles, Doubles,
                            Py_ssize_t) noexcept nogil

cdef enum:
    OPERATIONS = 256

cdef LoopFloat[256] _float32
cdef LoopDouble[256] _float64
cdef dict _codes = {}    # name -> place in the table


cdef int enter(str name, void* float32, void* float64) except -1:
    cdef int code = len(_codes)
    if code == OPERATIONS:
        raise SystemError("the table of operations is full")
    _codes[name] = code
    _float32[code] = <LoopFloat>float32
    _float64[code] = <LoopDouble>float64
    return 0


cdef int enter_unary(const Unary* tag, str name) except -1:
    return enter(name, <void*>unary[Unary, Floats], <void*>unary[Unary, Doubles])


cdef int enter_binary(const Binary* tag, str name) except -1:
    """Rows alone, and the form with a number that the operation has: commuting ones take it second."""
    enter(f"{name}_vv", <void*>binary[Binary, Floats], <void*>binary[Binary, Doubles])
    if Binary is Subtract or Binary is Divide:
        return enter(f"{name}_sv", <void*>binary_sv[Binary, Floats], <void*>binary_sv[Binary, Doubles])
    elif Binary is And or Binary is Or:
        return 0
    else:
        return enter(f"{name}_vs", <void*>binary_vs[Binary, Floats], <void*>binary_vs[Binary, Doubles])


cdef int enter_affine(const Affine* tag, str name) except -1:
    return enter(f"affine_{name}_vsss", <void*>affine[Affine, Floats], <void*>affine[Affine, Doubles])


cdef int enter_scaled(const Scalable* tag, str name) except -1:
    """An operation of two rows times one more operand; a difference takes a number first, the others second."""
    enter(f"scaled_{name}_vvv", <void*>scaled_vvv[Scalable, Floats], <void*>scaled_vvv[Scalable, Doubles])
    enter(f"scaled_{name}_vvs", <void*>scaled_vvs[Scalable, Floats], <void*>scaled_vvs[Scalable, Doubles])
    if Scalable is Subtract:
        enter(f"scaled_{name}_svv", <void*>scaled_svv[Scalable, Floats], <void*>scaled_svv[Scalable, Doubles])
        enter(f"scaled_{name}_svs", <void*>scaled_svs[Scalable, Floats], <void*>scaled_svs[Scalable, Doubles])
    else:
        enter(f"scaled_{name}_vsv", <void*>scaled_vsv[Scalable, Floats], <void*>scaled_vsv[Scalable, Doubles])
        enter(f"scaled_{name}_vss", <void*>scaled_vss[Scalable, Floats], <void*>scaled_vss[Scalable, Doubles])
    return 0


cdef int enter_multiplying(const Multiplying* tag, str name) except -1:
    """A product with one more operand, alone and times a number; to subtract a number is to add another."""
    enter(f"{name}_vvv", <void*>multiplying[Multiplying, Floats], <void*>multiplying[Multiplying, Doubles])
    enter(f"{name}_vsv", <void*>multiplying_vsv[Multiplying, Floats], <void*>multiplying_vsv[Multiplying, Doubles])
    enter(f"scaled_{name}_vvvs", <void*>scaled_multiplying_vvvs[Multiplying, Floats],
          <void*>scaled_multiplying_vvvs[Multiplying, Doubles])
    enter(f"scaled_{name}_vsvs", <void*>scaled_multiplying_vsvs[Multiplying, Floats],
          <void*>scaled_multiplying_vsvs[Multiplying, Doubles])
    if Multiplying is MultiplySubtract:
        return 0
    else:
        enter(f"{name}_vvs", <void*>multiplying_vvs[Multiplying, Floats], <void*>multiplying_vvs[Multiplying, Doubles])
        enter(f"{name}_vss", <void*>multiplying_vss[Multiplying, Floats], <void*>multiplying_vss[Multiplying, Doubles])
        enter(f"scaled_{name}_vvss", <void*>scaled_multiplying_vvss[Multiplying, Floats],
              <void*>scaled_multiplying_vvss[Multiplying, Doubles])
        return enter(f"scaled_{name}_vsss", <void*>scaled_multiplying_vsss[Multiplying, Floats],
                     <void*>scaled_multiplying_vsss[Multiplying, Doubles])


cdef int enter_of_products(const OfProducts* tag, str name) except -1:
    """A sum or a difference of products, alone and times a number; a sum takes the plain product first."""
    enter(f"{name}_vvvv", <void*>of_products[OfProducts, Floats], <void*>of_products[OfProducts, Doubles])
    enter(f"{name}_vvvs", <void*>of_products_vvvs[OfProducts, Floats], <void*>of_products_vvvs[OfProducts, Doubles])
    enter(f"{name}_vsvs", <void*>of_products_vsvs[OfProducts, Floats], <void*>of_products_vsvs[OfProducts, Doubles])
    enter(f"scaled_{name}_vvvvs", <void*>scaled_of_products_vvvvs[OfProducts, Floats],
          <void*>scaled_of_products_vvvvs[OfProducts, Doubles])
    enter(f"scaled_{name}_vvvss", <void*>scaled_of_products_vvvss[OfProducts, Floats],
          <void*>scaled_of_products_vvvss[OfProducts, Doubles])
    enter(f"scaled_{name}_vsvss", <void*>scaled_of_products_vsvss[OfProducts, Floats],
          <void*>scaled_of_products_vsvss[OfProducts, Doubles])
    if OfProducts is SumOfProducts:
        return 0
    else:
        enter(f"{name}_vsvv", <void*>of_products_vsvv[OfProducts, Floats], <void*>of_products_vsvv[OfProducts, Doubles])
        return enter(f"scaled_{name}_vsvvs", <void*>scaled_of_products_vsvvs[OfProducts, Floats],
                     <void*>scaled_of_products_vsvvs[OfProducts, Doubles])


cdef int enter_choice(const Choice* tag, str name) except -1:
    """A choice by a comparison, alone, times a number, and of a product; a scaled product is chosen or 0."""
    enter(f"{name}_vvvv", <void*>choice[Choice, Floats], <void*>choice[Choice, Doubles])
    enter(f"{name}_vsvv", <void*>choice_vsvv[Choice, Floats], <void*>choice_vsvv[Choice, Doubles])
    enter(f"{name}_vsvs", <void*>choice_vsvs[Choice, Floats], <void*>choice_vsvs[Choice, Doubles])
    enter(f"{name}_vsss", <void*>choice_vsss[Choice, Floats], <void*>choice_vsss[Choice, Doubles])
    enter(f"{name}_vssv", <void*>choice_vssv[Choice, Floats], <void*>choice_vssv[Choice, Doubles])
    enter(f"scaled_{name}_vvvvs", <void*>scaled_choice_vvvvs[Choice, Floats],
          <void*>scaled_choice_vvvvs[Choice, Doubles])
    enter(f"scaled_{name}_vsvvs", <void*>scaled_choice_vsvvs[Choice, Floats],
          <void*>scaled_choice_vsvvs[Choice, Doubles])
    enter(f"scaled_{name}_vsvss", <void*>scaled_choice_vsvss[Choice, Floats],
          <void*>scaled_choice_vsvss[Choice, Doubles])
    enter(f"scaled_{name}_vssss", <void*>scaled_choice_vssss[Choice, Floats],
          <void*>scaled_choice_vssss[Choice, Doubles])
    enter(f"scaled_{name}_vssvs", <void*>scaled_choice_vssvs[Choice, Floats],
          <void*>scaled_choice_vssvs[Choice, Doubles])
    enter(f"{name}_product_vsvvs", <void*>choice_product_vsvvs[Choice, Floats],
          <void*>choice_product_vsvvs[Choice, Doubles])
    enter(f"{name}_product_vsvss", <void*>choice_product_vsvss[Choice, Floats],
          <void*>choice_product_vsvss[Choice, Doubles])
    enter(f"scaled_{name}_product_vsvvs", <void*>kept_product_vsvvs[Choice, Floats],
          <void*>kept_product_vsvvs[Choice, Doubles])
    enter(f"scaled_{name}_product_vsvss", <void*>kept_product_vsvss[Choice, Floats],
          <void*>kept_product_vsvss[Choice, Doubles])
    return 0


enter_unary[Copy](NULL, "copy")
enter_unary[Negative](NULL, "neg")
enter_unary[Absolute](NULL, "abs")
enter_unary[Sign](NULL, "sign")
enter_unary[SquareRoot](NULL, "sqrt")
enter_unary[RootOfOnePlusMinusOne](NULL, "sqrt1pm1")
enter_unary[Exp](NULL, "exp")
enter_unary[Expm1](NULL, "expm1")
enter_unary[Log](NULL, "log")
enter_unary[Log1p](NULL, "log1p")
enter_unary[Tanh](NULL, "tanh")
enter_unary[Cosh](NULL, "cosh")
enter_unary[Sinh](NULL, "sinh")
enter_unary[Sigmoid](NULL, "sigmoid")
enter_unary[Softplus](NULL, "softplus")
enter_unary[LogOfCosh](NULL, "log_cosh")
enter_unary[Erf](NULL, "erf")
enter_unary[LogGamma](NULL, "loggamma")
enter_unary[Digamma](NULL, "digamma")
enter_unary[Trigamma](NULL, "trigamma")
enter_unary[Tetragamma](NULL, "tetragamma")
enter_unary[Not](NULL, "not")
enter("sin", <void*>trigonometric[Sine, Floats], <void*>trigonometric[Sine, Doubles])
enter("cos", <void*>trigonometric[Cosine, Floats], <void*>trigonometric[Cosine, Doubles])
enter_binary[Add](NULL, "add")
enter_binary[Subtract](NULL, "sub")
enter_binary[Multiply](NULL, "mul")
enter_binary[Divide](NULL, "div")
enter_binary[Power](NULL, "power")
enter_binary[Maximum](NULL, "max")
enter_binary[Minimum](NULL, "min")
enter_binary[Less](NULL, "lt")
enter_binary[LessEqual](NULL, "le")
enter_binary[Greater](NULL, "gt")
enter_binary[GreaterEqual](NULL, "ge")
enter_binary[Equal](NULL, "eq")
enter_binary[NotEqual](NULL, "ne")
enter_binary[And](NULL, "and")
enter_binary[Or](NULL, "or")
enter_binary[Signed](NULL, "signed")
enter_affine[Absolute](NULL, "abs")
enter_affine[SquareRoot](NULL, "sqrt")
enter_affine[Exp](NULL, "exp")
enter_affine[Expm1](NULL, "expm1")
enter_affine[Log](NULL, "log")
enter_affine[Log1p](NULL, "log1p")
enter_affine[Tanh](NULL, "tanh")
enter_affine[Sigmoid](NULL, "sigmoid")
enter_affine[Softplus](NULL, "softplus")
enter_scaled[Add](NULL, "add")
enter_scaled[Subtract](NULL, "sub")
enter_scaled[Maximum](NULL, "max")
enter_scaled[Minimum](NULL, "min")
enter_multiplying[MultiplyAdd](NULL, "multiply_add")
enter_multiplying[MultiplySubtract](NULL, "multiply_subtract")
enter_multiplying[SubtractProduct](NULL, "subtract_product")
enter_of_products[SumOfProducts](NULL, "sum_of_products")
enter_of_products[DifferenceOfProducts](NULL, "difference_of_products")
enter_choice[ChooseLess](NULL, "select_lt")
enter_choice[ChooseLessEqual](NULL, "select_le")
enter_choice[ChooseGreater](NULL, "select_gt")
enter_choice[ChooseGreaterEqual](NULL, "select_ge")
enter_choice[ChooseWithin](NULL, "select_within")
enter_choice[ChooseWithinOrAt](NULL, "select_at_most")
enter("select_vvv", <void*>choose[Floats], <void*>choose[Doubles])
enter("select_vvs", <void*>choose_vvs[Floats], <void*>choose_vvs[Doubles])
enter("select_vsv", <void*>choose_vsv[Floats], <void*>choose_vsv[Doubles])
enter("select_vss", <void*>choose_vss[Floats], <void*>choose_vss[Doubles])
enter("product_vvv", <void*>product[Floats], <void*>product[Doubles])
enter("product_vvs", <void*>product_vvs[Floats], <void*>product_vvs[Doubles])
enter("product_vss", <void*>product_vss[Floats], <void*>product_vss[Doubles])
enter("product_add_vvss", <void*>product_add_vvss[Floats], <void*>product_add_vvss[Doubles])
enter("clamp_vss", <void*>clamp_vss[Floats], <void*>clamp_vss[Doubles])
enter("scaled_clamp_vsss", <void*>scaled_clamp_vsss[Floats], <void*>scaled_clamp_vsss[Doubles])
enter("ratio_vvss", <void*>ratio_vvss[Floats], <void*>ratio_vvss[Doubles])
enter("ratio_vvsv", <void*>ratio_vvsv[Floats], <void*>ratio_vvsv[Doubles])
enter("ratio_svss", <void*>ratio_svss[Floats], <void*>ratio_svss[Doubles])
enter("scaled_ratio_vvsss", <void*>scaled_ratio_vvsss[Floats], <void*>scaled_ratio_vvsss[Doubles])
enter("extreme_vvvv", <void*>extreme[Floats], <void*>extreme[Doubles])
enter("extreme_vvvs", <void*>extreme_vvvs[Floats], <void*>extreme_vvvs[Doubles])
enter("extreme_vsvs", <void*>extreme_vsvs[Floats], <void*>extreme_vsvs[Doubles])
enter("extreme_vvsv", <void*>extreme_vvsv[Floats], <void*>extreme_vvsv[Doubles])
enter("extreme_vsss", <void*>extreme_vsss[Floats], <void*>extreme_vsss[Doubles])
enter("extreme_vssv", <void*>extreme_vssv[Floats], <void*>extreme_vssv[Doubles])
enter("scaled_extreme_vvvvs", <void*>scaled_extreme_vvvvs[Floats], <void*>scaled_extreme_vvvvs[Doubles])
enter("scaled_extreme_vvvss", <void*>scaled_extreme_vvvss[Floats], <void*>scaled_extreme_vvvss[Doubles])
enter("scaled_extreme_vsvss", <void*>scaled_extreme_vsvss[Floats], <void*>scaled_extreme_vsvss[Doubles])
enter("scaled_extreme_vvsvs", <void*>scaled_extreme_vvsvs[Floats], <void*>scaled_extreme_vvsvs[Doubles])
enter("scaled_extreme_vssss", <void*>scaled_extreme_vssss[Floats], <void*>scaled_extreme_vssss[Doubles])
enter("scaled_extreme_vssvs", <void*>scaled_extreme_vssvs[Floats], <void*>scaled_extreme_vssvs[Doubles])
enter("scaled_signed_vvs", <void*>scaled_signed_vvs[Floats], <void*>scaled_signed_vvs[Doubles])
enter("scaled_signed_vss", <void*>scaled_signed_vss[Floats], <void*>scaled_signed_vss[Doubles])
enter("mul_ss", <void*>product_ss[Floats], <void*>product_ss[Doubles])
enter("fill", <void*>fill[Floats], <void*>fill[Doubles])
enter("logistic", <void*>logistic_of[Floats], <void*>logistic_of[Doubles])
enter("sigmoids", <void*>sigmoids_of[Floats], <void*>sigmoids_of[Doubles])
enter("log_cosh_tanh", <void*>log_cosh_tanh_of[Floats], <void*>log_cosh_tanh_of[Doubles])
