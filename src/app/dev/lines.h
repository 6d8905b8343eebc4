/* What the processes of `ocf dev` write, line by line, and one row for each request made of it.
 *
 * A request is told about twice: by the mock, which knows model and tokens, and by the head, which
 * knows what the client saw. The two are joined by the request's id, in either order. Pure; the
 * lines are bounded by their reader. */
#ifndef OCF_APP_DEV_LINES_H
#define OCF_APP_DEV_LINES_H

#include "base/core/core.h"

enum { OCF_DEV_TEXT_MAX = 160, OCF_DEV_JOIN_MAX = 256 };

struct ocf_dev_ready {
  char peer_id[OCF_DEV_TEXT_MAX], http[OCF_DEV_TEXT_MAX], p2p[OCF_DEV_TEXT_MAX]; /* first address */
};

/* One request as its parts are known: a field that was not told is empty, 0 or negative. */
struct ocf_dev_row {
  char id[OCF_DEV_TEXT_MAX], method[16], path[OCF_DEV_TEXT_MAX], to[OCF_DEV_TEXT_MAX];
  char outcome[32], model[OCF_DEV_TEXT_MAX];
  unsigned status;
  uint64_t tokens;
  double first_ms, ms, tokens_per_s;
};

/* {"event":"ready",…} from a node or the mock. False for anything else. */
bool ocf_dev_read_ready(const char *line, struct ocf_dev_ready *out);
/* {"event":"request",…} from the mock. */
bool ocf_dev_read_mock(const char *line, struct ocf_dev_row *out);
/* A log line with "msg":"request" from a node. */
bool ocf_dev_read_node(const char *line, struct ocf_dev_row *out);

/* Rows that wait for their other half. Zero it. */
struct ocf_dev_join {
  struct {
    struct ocf_dev_row row;
    uint64_t since_ns;
    bool used, from_node; /* else from the mock */
  } slot[OCF_DEV_JOIN_MAX];
};

/* Takes one half. True when it completed a row, which is then in `*out` and forgotten. A node's
 * half for which no other can come (`alone`: no service was reached) is complete by itself. The
 * oldest half gives way when all places are taken. */
bool ocf_dev_join_add(struct ocf_dev_join *j, const struct ocf_dev_row *half, bool from_node,
                      bool alone, uint64_t now_ns, struct ocf_dev_row *out);
/* The next node's half that has waited for `wait_ns` (`*out` is what is known), or false. Mock's
 * halves that are 50 times as old are dropped. */
bool ocf_dev_join_late(struct ocf_dev_join *j, uint64_t now_ns, uint64_t wait_ns,
                       struct ocf_dev_row *out);
/* When to look again; OCF_TIME_NEVER when nothing waits. */
uint64_t ocf_dev_join_deadline(const struct ocf_dev_join *j, uint64_t wait_ns);

#endif
