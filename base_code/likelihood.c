/* Bernoulli log-likelihood of each row of logits, and its gradient to them, in one pass over the pixels.

   log p(x | l) = sum over the pixels of x l - max(l, 0) - log(1 + e^-|l|), whose derivative is x - sigmoid(l).
   One logarithm does for LANES * STEPS pixels: that of the product of their 1 + e^-|l|, each at most 2. */

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Made twice, with and without the residual: a question in the innermost loop costs half of its speed. */
#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16, STEPS = 60, ROWS = 32 }; /* 2^STEPS is a float, 2^(LANES * STEPS) a double; ROWS taken at a time */

typedef struct {
    const float *x, *logits;  /* [x_rows, pixels], [rows, pixels]: row i has the image i % x_rows */
    float *sums, *residuals;  /* [rows], and [rows, pixels] or NULL */
    int64_t rows, x_rows, pixels, next;
} Task;

/* e^y for y <= 0, to 2 units in the last place; 0 where it would be subnormal. After Cephes' expf. */
INLINE float exp_of(float y) {
    float n = rintf(y * 1.44269504f), r = y - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1;
    uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

INLINE void add(const float *restrict x, const float *restrict l, float *restrict residual, float *restrict linear,
                float *restrict product, int with_residual) {
    for (int i = 0; i < LANES; i++) {
        float y = l[i] > 0 ? -l[i] : l[i]; /* fmaxf and fabsf would do, but the first stops vectorisation */
        float e = exp_of(y < -87 ? -87 : y);
        e = y < -87 ? 0 : e;
        linear[i] += x[i] * l[i] - (l[i] > 0 ? l[i] : 0);
        product[i] += e * (1 + product[i]); /* of 1 + e, less 1, which would swallow small e */
        if (with_residual) residual[i] = l[i] > 0 ? x[i] - 1 + e / (1 + e) : x[i] - e / (1 + e);
    }
}

INLINE float row(const float *x, const float *l, float *residual, int64_t pixels, int with_residual) {
    double sum = 0;
    for (int64_t start = 0; start < pixels;) {
        float linear[LANES] = {0}, product[LANES] = {0};
        for (int step = 0; step < STEPS && start < pixels; step++, start += LANES) {
            int64_t n = pixels - start;
            if (n >= LANES) {
                add(x + start, l + start, with_residual ? residual + start : 0, linear, product, with_residual);
            } else { /* the last few, filled up with pixels that count nothing */
                float x_end[LANES] = {0}, l_end[LANES], residual_end[LANES];
                for (int i = 0; i < LANES; i++) l_end[i] = -100;
                memcpy(x_end, x + start, n * sizeof *x);
                memcpy(l_end, l + start, n * sizeof *l);
                add(x_end, l_end, residual_end, linear, product, with_residual);
                if (with_residual) memcpy(residual + start, residual_end, n * sizeof *residual);
            }
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
            task->sums[i] = task->residuals ? row(x, l, task->residuals + i * task->pixels, task->pixels, 1)
                                            : row(x, l, 0, task->pixels, 0);
        }
    }
}

/* parallel: GOMP_parallel of the OpenMP that torch runs in */
void log_likelihood(const float *x, const float *logits, float *sums, float *residuals, int64_t rows, int64_t x_rows,
                    int64_t pixels, void (*parallel)(void (*)(void *), void *, unsigned, unsigned), int threads) {
    Task task = {x, logits, sums, residuals, rows, x_rows, pixels, 0};
    if (threads > 1)
        parallel(work, &task, threads, 0);
    else
        work(&task);
}
