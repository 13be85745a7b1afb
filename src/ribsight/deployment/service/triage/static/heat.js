// A map of probabilities, one byte each, as a picture to lay over the film: clear where there is
// nothing, yellow to red where there is something.

const CLEAR_BELOW = 13; // 5 %

export async function heatPicture(blob) {
  const map = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(map.width, map.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(map, 0, 0);
  const image = context.getImageData(0, 0, map.width, map.height);
  const bytes = image.data;
  for (let i = 0; i < bytes.length; i += 4) {
    const value = bytes[i];
    const share = value / 255;
    bytes[i] = 255;
    bytes[i + 1] = Math.round(225 * (1 - share));
    bytes[i + 2] = 30;
    bytes[i + 3] = value < CLEAR_BELOW ? 0 : Math.min(Math.round(255 * Math.sqrt(share)), 255);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
