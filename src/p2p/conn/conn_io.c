#include "p2p/conn/conn_int.h"

#include <string.h>

void ocf_conn_pool_init(struct ocf_conn_pool *pool, struct ocf_alloc *a, size_t free_max)
{
  *pool = (struct ocf_conn_pool){ .a = a, .free_max = free_max };
  ocf_list_init(&pool->dirty);
}

void ocf_conn_pool_fini(struct ocf_conn_pool *pool)
{
  OCF_ASSERT(pool->n_rx_used == 0);
  OCF_ASSERT(pool->n_tx_used == 0);
  OCF_ASSERT(ocf_list_empty(&pool->dirty));
  ocf_conn_pool_trim(pool, false);
}

void ocf_conn_pool_trim(struct ocf_conn_pool *pool, bool spare)
{
  const size_t n_rx = spare ? pool->n_rx_spare : pool->n_rx_free;
  const size_t n_tx = spare ? pool->n_tx_spare : pool->n_tx_free;
  for (size_t i = 0; i < n_rx; i++) {
    struct conn_rx *rx = pool->rx_free;
    pool->rx_free = rx->next;
    OCF_DELETE(pool->a, rx);
  }
  for (size_t i = 0; i < n_tx; i++) {
    struct conn_tx *tx = pool->tx_free;
    pool->tx_free = tx->next;
    OCF_DELETE(pool->a, tx);
  }
  pool->n_rx_spare = pool->n_rx_free -= n_rx;
  pool->n_tx_spare = pool->n_tx_free -= n_tx;
}

struct ocf_conn *ocf_conn_pool_next_dirty(struct ocf_conn_pool *pool)
{
  struct ocf_list *n = ocf_list_pop_front(&pool->dirty);
  return n != NULL ? OCF_LIST_ENTRY(n, struct ocf_conn, dirty_link) : NULL;
}

static struct conn_rx *rx_get(struct ocf_conn_pool *pool)
{
  struct conn_rx *rx = pool->rx_free;
  if (rx != NULL) {
    pool->rx_free = rx->next;
    pool->n_rx_free--;
    pool->n_rx_spare = OCF_MIN(pool->n_rx_spare, pool->n_rx_free);
  } else {
    rx = ocf_alloc_get(pool->a, sizeof(*rx));
    if (rx == NULL)
      return NULL;
  }
  pool->n_rx_used++;
  return rx;
}

static void rx_put(struct ocf_conn_pool *pool, struct conn_rx *rx)
{
  OCF_ASSERT(pool->n_rx_used > 0);
  pool->n_rx_used--;
  if (pool->n_rx_free >= pool->free_max) {
    OCF_DELETE(pool->a, rx);
    return;
  }
  rx->next = pool->rx_free;
  pool->rx_free = rx;
  pool->n_rx_free++;
}

static struct conn_tx *tx_get(struct ocf_conn_pool *pool)
{
  struct conn_tx *tx = pool->tx_free;
  if (tx != NULL) {
    pool->tx_free = tx->next;
    pool->n_tx_free--;
    pool->n_tx_spare = OCF_MIN(pool->n_tx_spare, pool->n_tx_free);
  } else {
    tx = ocf_alloc_get(pool->a, sizeof(*tx));
    if (tx == NULL)
      return NULL;
  }
  pool->n_tx_used++;
  tx->next = NULL;
  tx->at = tx->n = 0;
  return tx;
}

static void tx_put(struct ocf_conn_pool *pool, struct conn_tx *tx)
{
  OCF_ASSERT(pool->n_tx_used > 0);
  pool->n_tx_used--;
  if (pool->n_tx_free >= pool->free_max) {
    OCF_DELETE(pool->a, tx);
    return;
  }
  tx->next = pool->tx_free;
  pool->tx_free = tx;
  pool->n_tx_free++;
}

/* --- receiving --- */

/* Moves what is left of the last read to the front, so that the next one begins at an aligned
 * address: the kernel copies to such two to three times faster. */
static void rx_compact(struct ocf_conn *c)
{
  size_t left = c->rx_n - c->rx_at;
  size_t at = ocf_align_pad(c->rx->p + left);
  if (at == c->rx_at)
    return;
  memmove(c->rx->p + at, c->rx->p + c->rx_at, left);
  c->rx_at = at;
  c->rx_n = at + left;
}

uint8_t *ocf_conn_rx_space(struct ocf_conn *c, size_t *cap)
{
  *cap = 0;
  if (c->phase >= CONN_OVER || c->rx_eof)
    return NULL;
  OCF_ASSERT(c->plain.n == 0); /* all events were pulled, so nothing lends from the buffer */
  OCF_ASSERT(c->rest.n == 0);
  if (c->rx == NULL) {
    c->rx = rx_get(c->cfg->pool);
    if (c->rx == NULL) {
      ocf_conn_doom(c, OCF_ENOMEM, "no memory to receive", OCF_YAMUX_RESOURCE_LIMIT);
      return NULL;
    }
    c->rx_at = ocf_align_pad(c->rx->p + c->n_stash);
    memcpy(c->rx->p + c->rx_at, c->stash, c->n_stash);
    c->rx_n = c->rx_at + c->n_stash;
    c->n_stash = 0;
  } else {
    rx_compact(c);
  }
  /* The same wherever the memory lies: what is read must not depend on addresses. */
  *cap = OCF_CONN_RX_SIZE - (c->rx_n - c->rx_at);
  OCF_ASSERT(*cap > 0); /* a partial frame is shorter than 64 KiB */
  return c->rx->p + c->rx_n;
}

void ocf_conn_rx(struct ocf_conn *c, uint64_t now_ns, size_t n)
{
  c->now_ns = now_ns;
  if (c->rx == NULL) /* doomed between the two calls */
    return;
  OCF_ASSERT(n <= sizeof(c->rx->p) - c->rx_n);
  if (n == 0) {
    ocf_conn_rx_settle(c);
    return;
  }
  c->rx_n += n;
  c->stats.rx_bytes += n;
  c->last_rx_ns = now_ns;
  ocf_conn_mark(c);
}

void ocf_conn_rx_end(struct ocf_conn *c, uint64_t now_ns, int err)
{
  c->now_ns = now_ns;
  if (c->rx_eof)
    return;
  c->rx_eof = true;
  c->rx_err = err;
  ocf_conn_mark(c);
}

bool ocf_conn_open_frame(struct ocf_conn *c)
{
  OCF_ASSERT(c->plain.n == 0);
  if (c->doomed || c->rx == NULL || c->rx_at == c->rx_n)
    return false;
  uint8_t *frame = c->rx->p + c->rx_at;
  int len = ocf_noise_frame_len(frame, c->rx_n - c->rx_at);
  if (len == OCF_EAGAIN || (len > 0 && (size_t)len > c->rx_n - c->rx_at))
    return false;
  int err = len < 0 ? len : ocf_noise_open_frame(&c->open, frame, (size_t)len, &c->plain);
  if (err != 0) {
    c->drop = true;
    c->plain = ocf_bytes(NULL, 0);
    ocf_conn_doom(c, err, "a frame could not be decrypted", OCF_YAMUX_PROTOCOL_ERROR);
    return false;
  }
  c->rx_at += (size_t)len;
  c->stats.rx_frames++;
  return true;
}

void ocf_conn_rx_settle(struct ocf_conn *c)
{
  if (c->rx == NULL || c->plain.n > 0 || c->rest.n > 0)
    return;
  size_t n = c->rx_n - c->rx_at;
  if (n > CONN_STASH)
    return;
  memcpy(c->stash, c->rx->p + c->rx_at, n);
  c->n_stash = (uint16_t)n;
  rx_put(c->cfg->pool, c->rx);
  c->rx = NULL;
  c->rx_at = c->rx_n = 0;
}

void ocf_conn_rx_drop(struct ocf_conn *c)
{
  if (c->rx != NULL)
    rx_put(c->cfg->pool, c->rx);
  c->rx = NULL;
  c->rx_at = c->rx_n = 0;
  c->n_stash = 0;
  c->plain = c->rest = ocf_bytes(NULL, 0);
}

/* --- sending --- */

static size_t tail_free(const struct ocf_conn *c)
{
  return c->tx_tail != NULL ? OCF_CONN_TX_SIZE - c->tx_tail->n : 0;
}

/* A new last buffer. Without `force` only within the bound. */
static bool tx_grow(struct ocf_conn *c, bool force)
{
  OCF_ASSERT(c->out.p == NULL);
  if (!force && c->n_tx_bufs > 0 && c->n_tx_bufs * OCF_CONN_TX_SIZE >= c->cfg->tx_bytes_max)
    return false;
  struct conn_tx *tx = tx_get(c->cfg->pool);
  if (tx == NULL) {
    ocf_conn_doom(c, OCF_ENOMEM, "no memory to send", OCF_YAMUX_RESOURCE_LIMIT);
    return false;
  }
  if (c->tx_tail != NULL)
    c->tx_tail->next = tx;
  else
    c->tx_head = tx;
  c->tx_tail = tx;
  c->n_tx_bufs++;
  return true;
}

struct ocf_yamux_out *ocf_conn_area(struct ocf_conn *c)
{
  if (c->drop || c->phase == CONN_IS_DOWN)
    return NULL;
  if (c->out.p != NULL && c->out.cap - c->out.n >= CONN_ROOM_MIN)
    return &c->out;
  ocf_conn_seal(c);
  if (tail_free(c) < CONN_AREA_MIN + OCF_NOISE_OVERHEAD && !tx_grow(c, false))
    return NULL;
  c->out.p = c->tx_tail->p + c->tx_tail->n + OCF_NOISE_HEADER_LEN;
  c->out.n = 0;
  c->out.cap = tail_free(c) - OCF_NOISE_OVERHEAD;
  return &c->out;
}

static void queued(struct ocf_conn *c, size_t n)
{
  c->tx_tail->n += n;
  if (c->tx_bytes == 0 && c->cfg->stall_ns > 0)
    c->stall_deadline_ns = ocf_time_add(c->now_ns, c->cfg->stall_ns);
  c->tx_bytes += n;
  ocf_conn_mark(c);
}

void ocf_conn_seal(struct ocf_conn *c)
{
  if (c->out.p == NULL)
    return;
  size_t n = c->out.n;
  c->out = (struct ocf_yamux_out){ 0 };
  if (n == 0)
    return;
  int err = ocf_noise_seal_frame(&c->seal, c->tx_tail->p + c->tx_tail->n, n);
  if (err != 0) {
    c->drop = true;
    ocf_conn_doom(c, err, "the channel's counter is used up", OCF_YAMUX_INTERNAL_ERROR);
    return;
  }
  c->stats.tx_frames++;
  queued(c, n + OCF_NOISE_OVERHEAD);
}

uint8_t *ocf_conn_raw(struct ocf_conn *c, size_t *cap)
{
  OCF_ASSERT(c->out.p == NULL);
  if (tail_free(c) == 0 && !tx_grow(c, true))
    return NULL;
  *cap = tail_free(c);
  return c->tx_tail->p + c->tx_tail->n;
}

void ocf_conn_raw_done(struct ocf_conn *c, size_t n)
{
  OCF_ASSERT(n <= tail_free(c));
  if (n > 0)
    queued(c, n);
}

static void tx_pop(struct ocf_conn *c)
{
  struct conn_tx *tx = c->tx_head;
  c->tx_head = tx->next;
  if (c->tx_head == NULL)
    c->tx_tail = NULL;
  c->n_tx_bufs--;
  tx_put(c->cfg->pool, tx);
}

/* Gives buffers back that hold nothing any more; a frame with bytes in it keeps its own. */
static void tx_settle(struct ocf_conn *c)
{
  while (c->tx_head != NULL && c->tx_head->at == c->tx_head->n) {
    if (c->tx_head == c->tx_tail && c->out.p != NULL) {
      if (c->out.n > 0)
        return;
      c->out = (struct ocf_yamux_out){ 0 };
    }
    tx_pop(c);
  }
}

void ocf_conn_tx_drop(struct ocf_conn *c)
{
  c->out = (struct ocf_yamux_out){ 0 };
  while (c->tx_head != NULL)
    tx_pop(c);
  c->tx_bytes = 0;
}

void ocf_conn_flush(struct ocf_conn *c, uint64_t now_ns)
{
  c->now_ns = now_ns;
  if (c->drop || c->phase == CONN_IS_DOWN)
    return;
  if (c->y != NULL) {
    ocf_conn_stream_talk(c);
    while (ocf_yamux_has_output(c->y) && ocf_conn_area(c) != NULL)
      ocf_yamux_output(c->y, now_ns, &c->out);
  }
  ocf_conn_seal(c);
  tx_settle(c);
}

size_t ocf_conn_tx(struct ocf_conn *c, struct ocf_bytes *iov, size_t cap)
{
  size_t n = 0;
  if (c->drop)
    return 0;
  for (struct conn_tx *tx = c->tx_head; tx != NULL && n < cap; tx = tx->next)
    if (tx->n > tx->at)
      iov[n++] = ocf_bytes(tx->p + tx->at, tx->n - tx->at);
  return n;
}

void ocf_conn_tx_done(struct ocf_conn *c, uint64_t now_ns, size_t n)
{
  c->now_ns = now_ns;
  if (n == 0)
    return;
  OCF_ASSERT(n <= c->tx_bytes);
  c->tx_bytes -= n;
  c->stats.tx_bytes += n;
  if (c->cfg->stall_ns > 0)
    c->stall_deadline_ns = ocf_time_add(now_ns, c->cfg->stall_ns);
  while (n > 0) {
    struct conn_tx *tx = c->tx_head;
    size_t k = OCF_MIN(n, tx->n - tx->at);
    tx->at += k;
    n -= k;
    if (tx->at < tx->n || tx == c->tx_tail)
      break;
    tx_pop(c);
  }
  OCF_ASSERT(n == 0);
  tx_settle(c);
  if (c->phase >= CONN_OVER || (c->y != NULL && ocf_yamux_has_writable(c->y)) ||
      (c->y != NULL && ocf_yamux_has_output(c->y)) || !ocf_list_empty(&c->neg_tx))
    ocf_conn_mark(c);
}

bool ocf_conn_tx_pending(const struct ocf_conn *c)
{
  if (c->drop || c->phase == CONN_IS_DOWN)
    return false;
  return c->tx_bytes > 0 || c->out.n > 0 || !ocf_list_empty(&c->neg_tx) ||
         (c->y != NULL && ocf_yamux_has_output(c->y));
}
