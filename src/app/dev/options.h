/* The options of `ocf dev`. Pure. */
#ifndef OCF_APP_DEV_OPTIONS_H
#define OCF_APP_DEV_OPTIONS_H

#include "base/core/core.h"
#include "base/core/err.h"

enum { OCF_DEV_NODES_MAX = 16, OCF_DEV_PORT = 8092, OCF_DEV_HELP_SIZE = 4096 };

struct ocf_dev_options {
  uint64_t n_nodes; /* 2..OCF_DEV_NODES_MAX: one head (two from five on), the others workers */
  uint16_t port;    /* the first head's HTTP port; 0: any */
  bool port_given;
  const char *model, *prompt;
  uint64_t token_delay_ns;
  uint64_t timeout_ns; /* from the start to the end of the first answer */
  bool once, stay;     /* at most one of them; neither: stay with a terminal on standard output */
  bool keep;           /* leave the folders, with the logs, behind */
  bool verbose;        /* the nodes' log lines too */
  const char *color;   /* "auto", "always", "never" */
};

/* Defaults, then `args` (borrowed for the life of `o`). 0, OCF_ECANCELED for --help, OCF_EINVAL. */
OCF_NODISCARD int ocf_dev_options_parse(struct ocf_dev_options *o, const char *const *args,
                                        size_t n_args, struct ocf_err *err);
/* The text of --help. Returns `dst`. */
const char *ocf_dev_options_help(char dst[OCF_DEV_HELP_SIZE]);

#endif
