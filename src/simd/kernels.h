#ifndef SIMD_KERNELS_H
#define SIMD_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* The kernels: the inner loops of the face engine, at each instruction-set level.
 *
 * Rules: kernels never allocate, never fail, keep no state; floats are fp32 IEEE; the C version is
 * the reference and the others agree within (n + 2) * eps * sum|terms|, integer results to the bit.
 * Tensors are NHWC (row, column, channel; channel fastest) with N = 1. No alignment is needed
 * unless said. Callers set FTZ/DAZ with simd_flush_denormals() in each thread. */

/* Levels, lowest first. */
enum simd_level { SIMD_C, SIMD_AVX2, SIMD_AVX512, SIMD_VNNI, SIMD_NEON, SIMD_NEONDOT, SIMD_LEVELS };

/* Weights of a convolution are packed by simd_pack_conv() in panels of this many output channels,
 * one packing for every level: panel p, then kernel row, column, input channel, then its 16
 * outputs, the last panel filled with zeros. One row of a panel is one 64-byte cache line; panels
 * start at 64-byte boundaries. */
enum { SIMD_PANEL = 16 };

enum activation { ACTIVATION_NONE, ACTIVATION_RELU, ACTIVATION_PRELU };

/* One convolution, or some rows of it, fused with bias, residual and activation:
 *   out = activation(conv(in) + bias + residual)
 * `out` overlaps no other buffer. Speed: depthwise layers lose up to a third where `in` and `out`
 * lie at the same offset within their 4096-byte pages, since loads then wait for unrelated stores;
 * keep `out` 128 bytes before `in` modulo 4096.
 * A 1x1 stride-1 convolution without padding is a GEMM of out_height * out_width rows; a fully
 * connected layer is that with 1 row. */
struct conv {
    const float *in; /* in_height x in_width pixels; pixel pitch in_stride floats */
    float *out;      /* out_height x out_width pixels; pixel pitch out_stride floats */
    const float
        *weights; /* dense: packed panels; depthwise: [kernel_height][kernel_width][channels] */
    const float *bias;     /* out_channels floats, padded with zeros to a multiple of SIMD_PANEL */
    const float *slope;    /* PReLU slopes, as bias; NULL otherwise */
    const float *residual; /* as out, pitch residual_stride; NULL for none */
    float *scratch;        /* simd_conv_scratch_bytes() bytes, 64-byte aligned; one a thread */
    int in_height, in_width, in_channels, in_stride;
    int out_height, out_width, out_channels, out_stride, residual_stride;
    int kernel_height, kernel_width, stride_y, stride_x, pad_top, pad_left, dilation_y, dilation_x;
    int winograd; /* how the weights are packed: 0: simd_pack_conv(); 2, 4: simd_pack_winograd() */
    int is_product;         /* they are simd_pack_product()'s, for product_i16 */
    int row_begin, row_end; /* the rows of `out` to make: how threads split a layer */
    enum activation activation;
};

/* Pictures: bytes, 3 a pixel (red, green, blue). */

/* The pixels that one pixel of a resized row is made of, and what each weighs. */
struct taps {
    int first, count;
    uint16_t *weights;
};

/* A place between four pixels: its upper left pixel's offset in bytes, and how far to the right and
 * down of that it lies, in 1/2048ths of a pixel. */
struct spot {
    uint32_t at;
    uint16_t right, down;
};

/* A kernel is named once: declarations, table, checker and benchmark all come from this list.
 * X(name, return type, (arguments)). */
#define KERNEL_LIST(X)                                                                             \
    X(conv_f32, void, (const struct conv *c))      /* dense, packed weights */                     \
    X(depthwise_f32, void, (const struct conv *c)) /* one filter a channel */                      \
    X(winograd_f32, void, (const struct conv *c))  /* dense 3x3, stride 1, c->winograd not 0 */    \
    /* 1x1 of 16-bit factors, weights by simd_pack_product(): inputs and weights are rounded to 16 \
       bits, each pixel's and each output's so that the largest fills them; the sums are exact to  \
       8 products, and floats from there. The same at each level to the bit. */                    \
    X(product_i16, void, (const struct conv *c))                                                   \
    X(dot_f32, float, (const float *a, const float *b, size_t n))                                  \
    /* e^x, right to 2 units in the last place, the same at each level to the bit; 0 where it      \
       would be denormal, infinite from 88.73 on. `out` may be `in`. */                            \
    X(exp_f32, void, (float *out, const float *in, size_t n))                                      \
    /* out[r] = dot product of `query` and row r of `rows`, each n bytes; n at most 65536 */       \
    X(dots_i8, void,                                                                               \
      (int32_t * out, const int8_t *query, const int8_t *rows, size_t n, size_t count))            \
    /* out[i] = (in[i] - offset) * factor of bytes: picture to network input */                    \
    X(normalize_u8_f32, void,                                                                      \
      (float *out, const uint8_t *in, size_t n, float offset, float factor))                       \
    /* For each of `blocks` times 64 bytes, as eight little-endian words, one a lane: lane = (lane \
       ^ word) * 0x9e3779b97f4a7c15, then lane ^= lane >> 29. The model file's checksum. */        \
    X(mix_u64, void, (uint64_t lanes[8], const uint8_t *data, size_t blocks))                      \
    /* `n` pixels, each the rounded mean of two pixels of one row and the two below them */        \
    X(halve_u8, void, (uint8_t * out, const uint8_t *row, const uint8_t *below, size_t n))         \
    /* Pixel i of `out` = the sum of its taps' pixels of `sums`, weighted, plus 2^21, over 2^22.   \
       A pixel's weights add up to 2^14. The 10 bytes behind the last tap's pixel are read. */     \
    X(mix_u16_u8, void, (uint8_t * out, const uint16_t *sums, const struct taps *taps, size_t n))  \
    /* Pixel i of `out` is the picture at spot i, bilinear, rounded. Reads 8 bytes from a spot on, \
       and 8 a row (`stride` bytes) below. */                                                      \
    X(sample_u8, void,                                                                             \
      (uint8_t * out, const uint8_t *pixels, size_t stride, const struct spot *spots, size_t n))

struct kernels {
#define X(name, result, arguments) result(*name) arguments;
    KERNEL_LIST(X)
#undef X
};

/* Best level of this processor and build; KEN_SIMD in the environment (c, avx2, avx512, vnni, neon,
 * neondot; any other value is ignored) caps it. */
enum simd_level simd_best(void);
int simd_has(enum simd_level level);
const char *simd_level_name(enum simd_level level);

/* The kernels up to and including `level` (which this processor must have). Static storage. */
const struct kernels *simd_kernels(enum simd_level level);

/* Make this thread treat denormal floats as zero: with them, kernels run 2 to 7 times slower. */
void simd_flush_denormals(void);

/* Pack dense weights given as ONNX has them, [out][in][kernel_height][kernel_width]. `packed` holds
 * simd_packed_floats() floats, 64-byte aligned. Denormal weights become 0. */
size_t simd_packed_floats(int out_channels, int in_channels, int kernel_height, int kernel_width);
void simd_pack_conv(float *packed, const float *weights, int out_channels, int in_channels,
                    int kernel_height, int kernel_width);
/* The same for winograd_f32 in tiles of `tile` x `tile` outputs, 2 or 4 (docs/kernels.md): weights
 * of [out][in][3][3], already turned, so 16/9 or 4 times as many. */
size_t simd_winograd_floats(int tile, int out_channels, int in_channels);
void simd_pack_winograd(float *packed, const float *weights, int tile, int out_channels,
                        int in_channels);
/* The tile with which this convolution (its shape; nothing else is read) takes least time: 2 or 4;
 * 0 where conv_f32 does, or where the weights would grow too much for what it saves. */
int simd_winograd_tile(const struct conv *c);

/* Whether product_i16 can make this convolution (its shape; nothing else is read): 1x1, stride 1,
 * inputs by 16, outputs by 32; and whether that is faster than conv_f32 at this level. Its weights
 * of [out][in] take simd_product_floats(). */
int simd_can_product(const struct conv *c);
int simd_prefers_product(enum simd_level level);
size_t simd_product_floats(int out_channels, int in_channels);
void simd_pack_product(float *packed, const float *weights, int out_channels, int in_channels);

size_t simd_conv_scratch_bytes(const struct conv *c);

#endif
