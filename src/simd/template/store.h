/* The end of every convolution. Included after the level's vec.h. */
#include "simd/kernels.h"

struct finish {
    float *out;
    const float *residual, *slope; /* of the same channel as `out`; may be NULL */
    enum activation activation;
};

/* Residual, activation and store of the first `n` lanes; n may be above WIDTH. */
INLINE void finish_store(struct finish f, vec x, int n)
{
    if (f.residual)
        x = vec_add(x, n >= WIDTH ? vec_load(f.residual) : vec_load_part(f.residual, n));
    if (f.activation == ACTIVATION_RELU)
        x = vec_relu(x);
    if (f.activation == ACTIVATION_PRELU)
        x = vec_prelu(x, vec_load(f.slope));
    if (n >= WIDTH)
        vec_store(f.out, x);
    else
        vec_store_part(f.out, x, n);
}
