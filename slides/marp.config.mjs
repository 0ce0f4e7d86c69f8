// Makes a deck one file that loads nothing: images and fonts become data URIs. Marp runs in the deck's folder.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const dataUri = (type, path) => `data:${type};base64,${readFileSync(path).toString('base64')}`
const beside = (path) => fileURLToPath(new URL(path, import.meta.url))

const FONTS = [
  ['Fira Sans', 'fira-sans', 400],
  ['Fira Sans', 'fira-sans', 600],
  ['Fira Mono', 'fira-mono', 400],
]
const fontFaces = FONTS.map(([family, name, weight]) => {
  const file = beside(`node_modules/@fontsource/${name}/files/${name}-latin-${weight}-normal.woff2`)
  const uri = dataUri('font/woff2', file)
  return `@font-face { font-family: '${family}'; font-weight: ${weight}; src: url(${uri}) format('woff2'); }\n`
}).join('')

const inlineImages = (md) => {
  md.core.ruler.push('inline_images', ({ tokens }) => {
    for (const image of tokens.flatMap((token) => token.children ?? []).filter(({ type }) => type === 'image')) {
      image.attrSet('src', dataUri('image/svg+xml', image.attrGet('src')))
    }
  })
}

const withFonts = (marp) => {
  const render = marp.render.bind(marp)
  marp.render = (...given) => {
    const rendered = render(...given)
    return { ...rendered, css: fontFaces + rendered.css }
  }
  return marp
}

export default {
  engine: ({ marp }) => withFonts(marp.use(inlineImages)),
  themeSet: beside('theme.css'),
  html: true,
  options: {
    markdown: { breaks: false }, // a line's end in the source is none on the slide
    emoji: { shortcode: false, unicode: false }, // Marp's emoji are pictures from a CDN
  },
}
