/* What the files of jscan share; not for others. */
#ifndef OCF_FMT_JSCAN_JSCAN_INT_H
#define OCF_FMT_JSCAN_JSCAN_INT_H

#include "fmt/jscan/jscan.h"

/* Takes string bytes off the front of `*in`, from behind the opening quote on. 1: the closing quote
 * is taken too; 0: more is needed; OCF_EINVAL. */
int ocf_jscan_string(struct ocf_jscan *s, struct ocf_bytes *in);

/* Where in a number the next byte comes. */
enum ocf_jscan_number {
  OCF_JSCAN_N_SIGN,   /* nothing yet */
  OCF_JSCAN_N_FIRST,  /* after '-' */
  OCF_JSCAN_N_ZERO,   /* after the '0' that stands alone */
  OCF_JSCAN_N_INT,    /* within the integer */
  OCF_JSCAN_N_DOT,    /* after '.' */
  OCF_JSCAN_N_FRAC,   /* within the fraction */
  OCF_JSCAN_N_E,      /* after 'e' */
  OCF_JSCAN_N_E_SIGN, /* after its sign */
  OCF_JSCAN_N_EXP,    /* within the exponent */
  OCF_JSCAN_N_NONE,   /* the byte does not belong to the number */
};

/* The place after byte `c` at place `part`. */
uint8_t ocf_jscan_number_step(uint8_t part, uint8_t c);
/* Whether a number may end at this place. */
bool ocf_jscan_number_ends(uint8_t part);

static inline void ocf_jscan_take(struct ocf_jscan *s, struct ocf_bytes *in, size_t n)
{
  *in = ocf_bytes(in->p + n, in->n - n);
  s->offset += n;
}

#endif
