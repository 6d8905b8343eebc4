/* Where log lines leave: gathered for a short while, written without ever blocking the loop. When
 * the reader of standard error is too slow, lines are dropped and counted. One per loop. */
#ifndef OCF_APP_DAEMON_LOGSINK_H
#define OCF_APP_DAEMON_LOGSINK_H

#include "base/core/core.h"
#include "base/log/log.h"

enum { OCF_LOGSINK_SIZE = 256 * 1024, OCF_LOGSINK_FLUSH_AT = 32 * 1024 };

struct ocf_logsink {
  int fd;
  bool pipe; /* writes of more than PIPE_BUF bytes could block */
  char *buf;
  size_t n;
  uint64_t n_dropped;
  uint64_t due_ns, last_ns; /* when to flush at the latest; the last flush */
};

/* OCF_ENOMEM. */
OCF_NODISCARD int ocf_logsink_init(struct ocf_logsink *s, int fd);
/* Writes what it can, waiting a second at most for a slow reader. */
void ocf_logsink_fini(struct ocf_logsink *s);
/* Makes `log` write here. */
void ocf_logsink_attach(struct ocf_logsink *s, struct ocf_log *log);
/* At the end of a turn. */
void ocf_logsink_turn(struct ocf_logsink *s, uint64_t now_ns);
uint64_t ocf_logsink_deadline(const struct ocf_logsink *s);

#endif
