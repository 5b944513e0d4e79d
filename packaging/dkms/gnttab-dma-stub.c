// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * What the dma-buf half of gntdev wants of a kernel with CONFIG_XEN_GRANT_DMA_ALLOC: pages that a
 * device may reach at once, for exports with the flags WC or COHERENT. A kernel without that option
 * has no such functions, and nothing here asks for such pages: who does is refused.
 */
#include <linux/errno.h>
#include <xen/grant_table.h>

int gnttab_dma_alloc_pages(struct gnttab_dma_alloc_args *args)
{
	return -EOPNOTSUPP;
}

int gnttab_dma_free_pages(struct gnttab_dma_alloc_args *args)
{
	return -EOPNOTSUPP;
}
