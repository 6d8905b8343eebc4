/* The folder of one `ocf dev` run, below $TMPDIR, and its end.
 *
 * A lock inside says that its run is alive, so that the next run can remove what a killed one left.
 * A folder that is to be kept has no lock and is never removed. */
#ifndef OCF_APP_DEV_HOME_H
#define OCF_APP_DEV_HOME_H

#include <limits.h>

#include "base/core/core.h"
#include "base/core/err.h"

struct ocf_dev_home {
  char path[PATH_MAX / 2];
  int lock; /* -1: kept */
};

/* Makes the folder, mode 0700. OCF_EIO with `err`. */
OCF_NODISCARD int ocf_dev_home_make(struct ocf_dev_home *h, bool keep, struct ocf_err *err);
/* Makes `name` in it and writes its path to `dst`. */
OCF_NODISCARD int ocf_dev_home_add(const struct ocf_dev_home *h, const char *name, char *dst,
                                   size_t cap, struct ocf_err *err);
/* Removes the folder and all in it, unless it is to be kept. */
void ocf_dev_home_end(struct ocf_dev_home *h);
/* Removes folders of this user's earlier runs that did not end in order. Returns how many. */
size_t ocf_dev_home_sweep(void);

#endif
