/* Bernoulli log-likelihood of each row of logits, and its gradient to them, in one pass over the pixels.

   log p(x | l) = sum over the pixels of x l - max(l, 0) - log(1 + e^-|l|), whose derivative is x - sigmoid(l).
   One logarithm does for LANES * STEPS pixels: that of the product of their 1 + e^-|l|, each at most 2. */

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Made anew for each with_bias and with_residual in use: a question in the innermost loop costs half of its speed. */
#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16, STEPS = 60, ROWS = 32 }; /* 2^STEPS is a float, 2^(LANES * STEPS) a double; ROWS taken at a time */

typedef struct {
    const float *x, *logits, *bias; /* [x_rows, pixels], [rows, pixels], [pixels] or NULL; row i has image i % x_rows */
    float *sums, *residuals;        /* [rows], and [rows, pixels] or NULL, which may take the place of the logits */
    int64_t rows, x_rows, pixels, next;
} Task;

/* e^y for -87 <= y <= 0, to 2 units in the last place; anything elsewhere. After Cephes' expf. */
INLINE float exp_of(float y) {
    const float magic = 12582912; /* 1.5 * 2^23: what is added to it is rounded to an integer, in its last bits */
    float shifted = y * 1.44269504f + magic, n = shifted - magic, r = y - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

INLINE void add(const float *restrict x, const float *logits, const float *bias, float *residual,
                float *restrict linear, float *restrict product, int with_bias, int with_residual) {
    float r[LANES]; /* written when all logits are read, whose place it may take */
    for (int i = 0; i < LANES; i++) {
        float l = with_bias ? logits[i] + bias[i] : logits[i];
        float y = -fabsf(l), positive = l > 0 ? l : 0; /* not fmaxf, which stops vectorisation */
        linear[i] += x[i] * l - positive;
        float e = y < -87 ? 0 : exp_of(y);
        product[i] += e * (1 + product[i]); /* of 1 + e, less 1, which would swallow small e */
        if (with_residual) r[i] = l > 0 ? x[i] - 1 + e / (1 + e) : x[i] - e / (1 + e);
    }
    if (with_residual) memcpy(residual, r, sizeof r);
}

INLINE float row(const float *x, const float *l, const float *bias, float *residual, int64_t pixels, int with_bias,
                 int with_residual) {
    double sum = 0;
    for (int64_t start = 0, end; start < pixels; start = end) {
        float linear[LANES] = {0}, product[LANES] = {0};
        end = pixels - start > LANES * STEPS ? start + LANES * STEPS : pixels;
        int64_t i = start;
        for (; i + LANES <= end; i += LANES)
            add(x + i, l + i, with_bias ? bias + i : 0, with_residual ? residual + i : 0, linear, product, with_bias,
                with_residual);
        if (i < end) { /* the last few, filled up with pixels that count nothing */
            float x_end[LANES] = {0}, l_end[LANES], bias_end[LANES] = {0}, residual_end[LANES];
            for (int j = 0; j < LANES; j++) l_end[j] = -100;
            memcpy(x_end, x + i, (end - i) * sizeof *x);
            memcpy(l_end, l + i, (end - i) * sizeof *l);
            if (with_bias) memcpy(bias_end, bias + i, (end - i) * sizeof *bias);
            add(x_end, l_end, bias_end, residual_end, linear, product, with_bias, with_residual);
            if (with_residual) memcpy(residual + i, residual_end, (end - i) * sizeof *residual);
        }
        double whole = 0;
        for (int i = 0; i < LANES; i++) {
            sum += linear[i];
            whole += product[i] * (1 + whole);
        }
        sum -= log1p(whole);
    }
    return sum;
}

static void work(void *argument) {
    Task *task = argument;
    for (;;) {
        int64_t i = __atomic_fetch_add(&task->next, ROWS, __ATOMIC_RELAXED), end = i + ROWS;
        if (i >= task->rows) return;
        for (; i < end && i < task->rows; i++) {
            const float *x = task->x + i % task->x_rows * task->pixels, *l = task->logits + i * task->pixels;
            float *residual = task->residuals ? task->residuals + i * task->pixels : 0;
            task->sums[i] = !residual    ? row(x, l, 0, 0, task->pixels, 0, 0)
                            : task->bias ? row(x, l, task->bias, residual, task->pixels, 1, 1)
                                         : row(x, l, 0, residual, task->pixels, 0, 1);
        }
    }
}

/* bias: added to the logits, where there is one and residuals are wanted.
   parallel: GOMP_parallel of the OpenMP that torch runs in */
void log_likelihood(const float *x, const float *logits, const float *bias, float *sums, float *residuals, int64_t rows,
                    int64_t x_rows, int64_t pixels, void (*parallel)(void (*)(void *), void *, unsigned, unsigned),
                    int threads) {
    Task task = {x, logits, bias, sums, residuals, rows, x_rows, pixels, 0};
    if (threads > 1)
        parallel(work, &task, threads, 0);
    else
        work(&task);
}
