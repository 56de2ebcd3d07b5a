"""The operations of formulas, by the number of their operands."""

cdef extern from "losslib/formula/operations.h" namespace "losslib" nogil:
    # Rows of numbers that do not overlap: a tape never writes where it reads.
    ctypedef float* Floats "float* LOSSLIB_RESTRICT"
    ctypedef double* Doubles "double* LOSSLIB_RESTRICT"

    T apply[O, T](const O& operation, T a)
    T apply_two "losslib::apply"[O, T](const O& operation, T a, T b)
    T apply_three "losslib::apply"[O, T](const O& operation, T a, T b, T c)
    T apply_four "losslib::apply"[O, T](const O& operation, T a, T b, T c, T d)
    T kept[O, T](const O& choice, T a, T b, T c)
    bint is_far_off[T](T a)
    T far_off[O, T](const O& operation, T a)

    cppclass Logistic[T]:
        T sigma
        T sigma_neg
        T softplus
        T softplus_neg
    Logistic[T] logistic[T](T x)
    cppclass LogCosh[T]:
        T value
        T tanh
    LogCosh[T] log_cosh[T](T x)

    cppclass Copy:
        pass
    cppclass Negative:
        pass
    cppclass Absolute:
        pass
    cppclass Sign:
        pass
    cppclass Not:
        pass
    cppclass SquareRoot:
        pass
    cppclass RootOfOnePlusMinusOne:
        pass
    cppclass Exp:
        pass
    cppclass Expm1:
        pass
    cppclass Log:
        pass
    cppclass Log1p:
        pass
    cppclass Tanh:
        pass
    cppclass Cosh:
        pass
    cppclass Sinh:
        pass
    cppclass Sigmoid:
        pass
    cppclass Softplus:
        pass
    cppclass LogOfCosh:
        pass
    cppclass Erf:
        pass
    cppclass LogGamma:
        pass
    cppclass Digamma:
        pass
    cppclass Trigamma:
        pass
    cppclass Tetragamma:
        pass
    cppclass Sine:
        pass
    cppclass Cosine:
        pass
    cppclass Add:
        pass
    cppclass Subtract:
        pass
    cppclass Multiply:
        pass
    cppclass Divide:
        pass
    cppclass Power:
        pass
    cppclass Maximum:
        pass
    cppclass Minimum:
        pass
    cppclass Less:
        pass
    cppclass LessEqual:
        pass
    cppclass Greater:
        pass
    cppclass GreaterEqual:
        pass
    cppclass Equal:
        pass
    cppclass NotEqual:
        pass
    cppclass And:
        pass
    cppclass Or:
        pass
    cppclass Signed:
        pass
    cppclass Choose:
        pass
    cppclass MultiplyAdd:
        pass
    cppclass MultiplySubtract:
        pass
    cppclass SubtractProduct:
        pass
    cppclass Product:
        pass
    cppclass Clamp:
        pass
    cppclass SumOfProducts:
        pass
    cppclass DifferenceOfProducts:
        pass
    cppclass ProductAdd:
        pass
    cppclass Ratio:
        pass
    cppclass Extreme:
        pass
    cppclass ChooseLess:
        pass
    cppclass ChooseLessEqual:
        pass
    cppclass ChooseGreater:
        pass
    cppclass ChooseGreaterEqual:
        pass
    cppclass ChooseWithin:
        pass
    cppclass ChooseWithinOrAt:
        pass

ctypedef fused Numbers:
    Floats
    Doubles

ctypedef fused Unary:
    Copy
    Negative
    Absolute
    Sign
    Not
    SquareRoot
    RootOfOnePlusMinusOne
    Exp
    Expm1
    Log
    Log1p
    Tanh
    Cosh
    Sinh
    Sigmoid
    Softplus
    LogOfCosh
    Erf
    LogGamma
    Digamma
    Trigamma
    Tetragamma

ctypedef fused Trigonometric:
    Sine
    Cosine

ctypedef fused Binary:
    Add
    Subtract
    Multiply
    Divide
    Power
    Maximum
    Minimum
    Less
    LessEqual
    Greater
    GreaterEqual
    Equal
    NotEqual
    And
    Or
    Signed

# Functions that hide a factor before them and a factor and a term after them behind their own arithmetic.
ctypedef fused Affine:
    Absolute
    SquareRoot
    Exp
    Expm1
    Log
    Log1p
    Tanh
    Sigmoid
    Softplus

# Operations of two rows that one more row may multiply.
ctypedef fused Scalable:
    Add
    Subtract
    Maximum
    Minimum

ctypedef fused Multiplying:
    MultiplyAdd
    MultiplySubtract
    SubtractProduct

ctypedef fused OfProducts:
    SumOfProducts
    DifferenceOfProducts

ctypedef fused Choice:
    ChooseLess
    ChooseLessEqual
    ChooseGreater
    ChooseGreaterEqual
    ChooseWithin
    ChooseWithinOrAt
