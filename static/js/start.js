// The first script. A room's secret stands in the address bar for as long as nothing was fetched:
// static imports would be, so main.js comes by a dynamic one.
const fragment = location.hash;
history.replaceState(null, '', location.pathname + location.search);

import('./main.js').then(({ start }) => start({ fragment }));

export {};
