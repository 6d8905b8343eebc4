/* What the files of app/dev share: net.c starts the processes, first.c waits for the way and sends
 * the first request, show.c prints, dev.c waits and ends. */
#ifndef OCF_APP_DEV_DEV_INT_H
#define OCF_APP_DEV_DEV_INT_H

#include "app/dev/answer.h"
#include "app/dev/call.h"
#include "app/dev/child.h"
#include "app/dev/home.h"
#include "app/dev/lines.h"
#include "app/dev/options.h"
#include "base/core/err.h"
#include "base/mem/alloc.h"

enum { DEV_MOCKS_MAX = 2, DEV_CHILDREN_MAX = OCF_DEV_NODES_MAX + DEV_MOCKS_MAX };

struct dev_child {
  struct ocf_child child;
  char name[16];
  const char *model; /* of a mock or a worker; NULL: of a head */
  bool ready, lost;  /* lost: it ended, and the others go on */
  struct ocf_dev_ready info;
};

struct dev {
  struct ocf_dev_options opt;
  struct ocf_alloc alloc;
  struct ocf_dev_home home;
  struct dev_child c[DEV_CHILDREN_MAX]; /* the mocks, the heads, the workers */
  size_t n;                             /* of them started, or being started */
  size_t n_mocks, n_heads, n_workers;   /* that there are to be; a model for each mock */
  char second_model[OCF_DEV_TEXT_MAX];
  struct ocf_dev_join join;
  struct ocf_call *call; /* under way, or NULL */
  int (*on_body)(void *user, struct ocf_bytes data);
  int call_err;
  int sigfd;
  int signum; /* of the first signal that asked us to end; 0: none */
  unsigned n_signals;
  uint64_t start_ns, deadline_ns;
  uint64_t first_ns, last_ns;      /* of the first answer's text */
  char first_id[OCF_DEV_TEXT_MAX]; /* its request: already told about, so no live line */
  struct ocf_dev_answer answer;
  struct ocf_buf text;
  struct ocf_err err;
  bool color, live, ending;
  const struct dev_child *culprit; /* whose last lines explain the failure */
};

static inline struct dev_child *dev_mock(struct dev *d, size_t i)
{
  return &d->c[i];
}

static inline struct dev_child *dev_head(struct dev *d, size_t i)
{
  return &d->c[d->n_mocks + i];
}

static inline struct dev_child *dev_worker(struct dev *d, size_t i)
{
  return &d->c[d->n_mocks + d->n_heads + i];
}

/* One of the three kinds above. */
static inline bool dev_is_head(const struct dev *d, const struct dev_child *c)
{
  return c >= d->c + d->n_mocks && c < d->c + d->n_mocks + d->n_heads;
}

/* Where clients of a head find the service, behind its URL. */
#define DEV_BASE_PATH "/v1/service/llm/v1"

/* dev.c */
uint64_t ocf_dev_now(void);
/* Waits for `*flag` (NULL: for ever) until `deadline_ns`. 0; OCF_ETIME; OCF_ECANCELED when a signal
 * came; OCF_EIO with d->err when a process ended. A call that is under way is worked on meanwhile;
 * one that fails ends the wait with its error code. */
int ocf_dev_wait(struct dev *d, const bool *flag, uint64_t deadline_ns);

/* net.c */
/* Who there is to be, by option --nodes. */
void ocf_dev_net_plan(struct dev *d);
int ocf_dev_net_start(struct dev *d);
uint16_t ocf_dev_net_port(const char *http_url);

/* first.c */
int ocf_dev_first_answer(struct dev *d);

/* show.c */
enum show_color { SHOW_PLAIN, SHOW_BOLD, SHOW_DIM, SHOW_GREEN, SHOW_YELLOW, SHOW_RED, SHOW_CYAN };
void ocf_dev_show(struct dev *d, enum show_color color, const char *fmt, ...) OCF_PRINTF(3, 4);
void ocf_dev_show_process(struct dev *d, struct dev_child *c);
/* Which worker has which model. */
void ocf_dev_show_models(struct dev *d);
void ocf_dev_show_how_to(struct dev *d);
void ocf_dev_show_row(struct dev *d, const struct ocf_dev_row *row);
void ocf_dev_show_failure(struct dev *d);

#endif
