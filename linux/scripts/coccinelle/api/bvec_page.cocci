// SPDX-License-Identifier: GPL-2.0-only
/// The memory of a bio_vec is named by bv_pfn, which is private to its accessors:
/// it is read by bvec_page() and written by bvec_set_page() and bvec_assign_page().
/// This is the script that made the change from the field bv_page.
///
// Confidence: High
// Options: --no-includes --include-headers
// Comments: without "disable ptr_to_array" bv[i].bv_page would lose its index.

virtual patch
virtual report

@set depends on patch disable ptr_to_array@
expression bv, page, len, offset;
@@

(
- bv->bv_page = page;
- bv->bv_len = len;
- bv->bv_offset = offset;
+ bvec_set_page(bv, page, len, offset);
|
- bv.bv_page = page;
- bv.bv_len = len;
- bv.bv_offset = offset;
+ bvec_set_page(&bv, page, len, offset);
)

@assign depends on patch disable ptr_to_array@
expression bv, page;
@@

(
- bv->bv_page = page
+ bvec_assign_page(bv, page)
|
- bv.bv_page = page
+ bvec_assign_page(&bv, page)
)

@read depends on patch disable ptr_to_array@
expression bv;
@@

(
- bv->bv_page
+ bvec_page(bv)
|
- bv.bv_page
+ bvec_page(&bv)
)

@found depends on report@
expression bv;
position p;
@@

(
  bv->bv_page@p
|
  bv.bv_page@p
)

@script:python depends on report@
p << found.p;
@@

coccilib.report.print_report(p[0], "use bvec_page(), bvec_set_page() or bvec_assign_page()")
